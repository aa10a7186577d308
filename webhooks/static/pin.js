// A pad of our own: the phone's keyboard is the customer's, and learns what is typed.
// Without a script the keyboard does it.
"use strict";

const form = document.querySelector(".pin form");
const box = document.getElementById("pin");

function setUp() {
  document.querySelector(".keys").hidden = false;
  box.inputMode = "none";
  form.addEventListener("click", (event) => {
    const key = event.target.closest("[data-digit], [data-erase]");
    if (!key) return;
    if ("erase" in key.dataset) box.value = box.value.slice(0, -1);
    else if (box.value.length < box.maxLength) box.value += key.dataset.digit;
  });
  form.addEventListener("submit", (event) => {
    if (form.classList.contains("busy")) event.preventDefault();
    form.classList.add("busy");
  });
  // Back in the browser's history: nobody is to find a PIN there.
  const clear = () => {
    box.value = "";
    form.classList.remove("busy");
  };
  window.addEventListener("pageshow", clear);
  clear();
}

if (form) setUp();
