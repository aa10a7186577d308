// A stamp that cannot be sent now is kept; and while the server is not heard, the page
// stays where it is, since the browser's own error page would take the till away.
"use strict";

{
  const LIMIT = 8000;
  const LIMIT_WHILE_LOST = 2500;
  const LIMIT_OF_SCAN = 2500;

  const words = document.querySelector("[data-queue]").dataset;
  const dialog = document.querySelector("[data-late]");
  const box = dialog.querySelector("input");
  const wrong = dialog.querySelector("[data-wrong]");
  const done = dialog.querySelector("[data-done]");

  // --- +n on a card's page ---------------------------------------------------------

  async function stamp(form, button) {
    form.classList.add("busy");
    button.classList.add("pressed");
    const fields = new URLSearchParams(new FormData(form));
    fields.set(button.name, button.value);
    const limit = Till.network.isLost ? LIMIT_WHILE_LOST : LIMIT;
    let answer, html;
    try {
      answer = await fetch(form.action, {
        method: "POST",
        body: fields,
        redirect: "manual",
        signal: Till.network.limit(limit),
      });
      html = await answer.text();
    } catch {
      answer = null;
      Till.network.check();
    }
    const isSignedOut = answer && answer.type === "opaqueredirect";
    if (!answer || isSignedOut || Till.network.AWAY.includes(answer.status)) {
      keep(form, button, fields);
      // The sign-in page leads back here, and what is kept is sent then.
      if (isSignedOut) window.location.assign("/till/");
    } else if (answer.ok) {
      Till.network.heard();
      show(html, form.action);
    } else {
      native(form, button);
    }
  }

  function show(html, path) {
    const main = new DOMParser().parseFromString(html, "text/html").querySelector("main");
    if (!main) return window.location.reload();
    document.querySelector("main").replaceWith(main);
    // Opened again, this address shows the card as it is then.
    window.history.replaceState(null, "", path);
    window.scrollTo(0, 0);
    if (navigator.vibrate && main.querySelector(".done")) navigator.vibrate(120);
    document.dispatchEvent(new Event("till:shown"));
  }

  // What the server says no to has a page of its own, in its own words.
  function native(form, button) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: button.name, value: button.value });
    form.append(field);
    form.submit();
  }

  function keep(form, button, fields) {
    const item = {
      key: fields.get("key"),
      what: form.dataset.stamp,
      n: Number(button.value),
      who: form.dataset.who,
      tried: true,
    };
    const isKept = Till.queue.add(item);
    const acts = form.closest(".acts");
    const panel = document.getElementById(isKept ? "kept" : "not-kept");
    const part = panel.content.cloneNode(true);
    if (!isKept) {
      // The same form with the same key: pressed again, it is still one stamp.
      form.classList.remove("busy");
      button.classList.remove("pressed");
      acts.querySelector(".result")?.remove();
      acts.prepend(part);
      return;
    }
    part.querySelector(".kept").dataset.key = item.key;
    part.querySelector("[data-put=who]").textContent = item.who;
    part.querySelector("[data-put=added]").textContent = words.added.replace("#", item.n);
    acts.replaceChildren(part);
    window.scrollTo({ top: acts.offsetTop - 12 });
  }

  // --- without a server: what can be read all the same -------------------------------

  // A card's code, a member number, or a code that changes; else null. The same as
  // core/rules/scanned.py.
  function read(text) {
    const plain = text.normalize("NFKC").trim();
    const url = /\/c\/([0-9A-Za-z]{1,16})/.exec(plain);
    const code = (url ? url[1] : plain).toUpperCase().replace(/[\s\-‐ー−]/g, "");
    const member = /^(?:(\d{8})|M(\d{8})[0-9A-Z]{7}|T(\d{8})\d{6})$/.exec(code);
    if (member) {
      const digits = member[1] || member[2] || member[3];
      const number = `${digits.slice(0, 4)}-${digits.slice(4)}`;
      return { what: code, who: words.member.replace("#", number) };
    }
    if (!/^[0-9A-Z]{13}$/.test(code)) return null;
    return { what: code, who: words.card.replace("#", code.slice(-4)) };
  }

  function open(text = "", why = words.lateText) {
    dialog.querySelector("[data-said]").textContent = why;
    box.value = text;
    wrong.hidden = true;
    if (dialog.open) return;
    done.hidden = true;
    dialog.showModal();
    box.focus();
  }

  function addTyped() {
    const found = read(box.value);
    wrong.textContent = words.lateUnknown;
    wrong.hidden = Boolean(found);
    if (!found) return box.select();
    const pad = document.querySelector(".numbers [name=program]");
    const program = pad ? pad.value : "";
    const isKept = Till.queue.add({ ...found, key: Till.newKey(), n: 1, program });
    const failed = document.getElementById("not-kept").content;
    done.textContent = isKept
      ? `${words.lateDone}\n${found.who} ${words.added.replace("#", 1)}`
      : failed.querySelector(".badge").textContent;
    done.hidden = false;
    box.value = "";
    box.focus();
  }

  async function find(form) {
    const isHeard = !Till.network.isLost
      && (Till.network.isFresh() || await Till.network.check(LIMIT_OF_SCAN));
    if (isHeard) form.submit();
    else open(form.elements.q.value);
  }

  // --- who wants to go somewhere -----------------------------------------------------

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (form.method === "dialog") return;
    if (form.closest("[data-late]")) {
      event.preventDefault();
      addTyped();
    } else if (form.classList.contains("busy")) {
      event.preventDefault();
    } else if (form.dataset.stamp && button && button.name === "n") {
      event.preventDefault();
      stamp(form, button);
    } else if (form.classList.contains("scan")) {
      event.preventDefault();
      find(form);
    } else if (Till.network.isLost) {
      event.preventDefault();
      Till.network.check();
      open("", form.querySelector("[name=stamps]")
        ? `${words.lateCode} ${words.lateText}`
        : words.lateText);
    } else if (form.action.endsWith("/till/signout")) {
      const n = Till.store.all().filter(Till.queue.waits).length;
      const asked = n === 1 ? words.signOutOne : words.signOut;
      if (n && !window.confirm(asked.replace("#", n))) event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-late] [data-do=close]")) dialog.close();
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || !Till.network.isLost) return;
    event.preventDefault();
    Till.network.check();
    open();
  });

  // Nobody should go on typing into it when the till itself works again.
  Till.network.follow((isHeard) => {
    if (isHeard && dialog.open && !box.value) dialog.close();
  });
}
