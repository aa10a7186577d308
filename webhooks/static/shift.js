// The PIN pad: keys of its own, any keyboard too, and seconds that run down.
"use strict";

const form = document.querySelector("[data-pin]");

function pad() {
  const box = form.elements.pin;
  const keys = form.querySelector(".keys");
  keys.hidden = false;
  // The screen's own keyboard would cover the keys; a real one types all the same.
  if (window.matchMedia("(pointer: coarse)").matches) box.inputMode = "none";
  const press = (key) => {
    if (key === "clear") box.value = "";
    else if (key === "back") box.value = box.value.slice(0, -1);
    else if (box.value.length < box.maxLength) box.value += key;
  };
  keys.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]");
    if (key) press(key.dataset.key);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.activeElement === box) return;
    if (/^[0-9]$/.test(event.key)) press(event.key);
    else if (event.key === "Backspace") press("back");
    else if (event.key === "Enter" && document.activeElement === document.body) {
      form.requestSubmit();
    }
  });
}

// While nobody may try, the pad is not there to be tried.
function waitOut() {
  const words = form.querySelector("[data-wait]");
  if (!words) return;
  const ends = Date.now() + Number(words.dataset.wait) * 1000;
  const parts = form.querySelectorAll("button, input[name=pin]");
  const tick = () => {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    for (const part of parts) part.disabled = left > 0;
    words.textContent = left
      ? words.dataset.words.replace("#", left)
      : words.dataset.over;
    words.classList.toggle("over", left === 0);
    if (left) window.setTimeout(tick, 250);
    else form.elements.pin.focus();
  };
  tick();
}

document.addEventListener("submit", (event) => {
  if (event.target.classList.contains("busy")) event.preventDefault();
  else event.target.classList.add("busy");
});
// Back in the browser's history: no PIN that was typed stays there.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

if (form) {
  pad();
  waitOut();
}
