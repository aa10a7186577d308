// The editor of a card: the preview follows what is typed. Everything here also works
// without this script, by the buttons of the form.
"use strict";

const form = document.getElementById("design");
const faces = document.getElementById("faces");
const unsaved = document.getElementById("unsaved");
const slider = document.getElementById("balance");
const file = document.getElementById("icon-file");
const WAIT_MS = 150;
const LARGEST_FILE = 1000000;

let timer = 0;
let asking = null;
let isDirty = false;

function changed(isSetting) {
  if (isSetting && !isDirty) {
    isDirty = true;
    if (unsaved) unsaved.hidden = false;
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT_MS);
}

async function refresh() {
  if (asking) asking.abort();
  asking = new AbortController();
  const data = new FormData(form);
  // A picture is big and is kept only with the form.
  data.delete("icon_file");
  try {
    const answer = await fetch(form.dataset.preview, {
      method: "POST", body: new URLSearchParams(data), signal: asking.signal,
    });
    if (!answer.ok) return;
    // Our own server's markup, escaped there.
    faces.innerHTML = await answer.text();
  } catch (error) {
    if (error.name !== "AbortError") return;
  }
}

function fitSlider() {
  const goal = Number(form.elements.goal.value);
  if (goal >= 1 && goal <= 50) slider.max = String(goal);
}

function addRow(list) {
  const row = document.getElementById(list.dataset.template).content.firstElementChild.cloneNode(true);
  const number = String(Date.now());
  for (const part of row.querySelectorAll("[id], [for], [value]")) {
    for (const name of ["id", "for", "value"]) {
      const value = part.getAttribute(name);
      if (value) part.setAttribute(name, value.replace("NEW", number));
    }
  }
  list.append(row);
  row.querySelector("input:not([type=hidden])").focus();
  limitRows();
}

function addButtonOf(list) {
  return list.parentElement.querySelector("[data-add]");
}

function limitRows() {
  for (const list of form.querySelectorAll("[data-most]")) {
    const button = addButtonOf(list);
    if (button) button.disabled = list.children.length >= Number(list.dataset.most);
  }
}

form.addEventListener("input", (event) => {
  if (event.target === file) return;
  if (event.target.name === "goal") fitSlider();
  changed(event.target !== slider && event.target.name !== "tab");
});

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("add" in button.dataset) {
    event.preventDefault();
    addRow(button.parentElement.querySelector("[data-most]"));
  } else if ("remove" in button.dataset) {
    event.preventDefault();
    const row = button.closest("[data-row]");
    const list = row.parentElement;
    row.remove();
    limitRows();
    addButtonOf(list).focus();
    changed(true);
  } else if ("background" in button.dataset) {
    event.preventDefault();
    form.elements.background.value = button.dataset.background.toLowerCase();
    form.elements.foreground.value = button.dataset.foreground.toLowerCase();
    changed(true);
  } else if ("sure" in button.dataset && !window.confirm(button.dataset.sure)) {
    event.preventDefault();
  }
});

if (file) {
  file.addEventListener("change", () => {
    const chosen = file.files[0];
    const isTooLarge = Boolean(chosen) && chosen.size > LARGEST_FILE;
    file.setCustomValidity(isTooLarge ? file.dataset.tooLarge : "");
    if (isTooLarge) {
      file.reportValidity();
      file.value = "";
      return;
    }
    if (!chosen) return;
    // The page comes back with the picture among the icons and all that was typed.
    isDirty = false;
    const go = document.createElement("input");
    go.type = "hidden";
    go.name = "do";
    go.value = "upload";
    form.append(go);
    form.submit();
  });
}

form.addEventListener("submit", () => { isDirty = false; });
window.addEventListener("beforeunload", (event) => {
  if (isDirty) event.preventDefault();
});
limitRows();
