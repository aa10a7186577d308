// Copies a link that is shown once. Without this, the whole link is marked by one tap.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const word = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(
      document.getElementById(button.dataset.copy).textContent,
    );
    button.textContent = button.dataset.copied;
    window.setTimeout(() => {
      button.textContent = word;
    }, 2000);
  });
}
