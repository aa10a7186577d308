// The customer's card changes in the moment of the stamp, by server-sent events.
"use strict";

const card = document.getElementById("card");
const offline = document.querySelector("[data-offline]");
let isFirst = true;

function follow() {
  const stream = new EventSource(card.dataset.events);
  stream.onopen = () => { offline.hidden = true; };
  stream.onerror = () => { offline.hidden = stream.readyState === EventSource.CLOSED; };
  stream.addEventListener("end", () => stream.close());
  stream.onmessage = (event) => {
    // The first one is what the page shows already, unless a stamp came in between.
    if (isFirst && card.textContent.trim() === textOf(event.data)) {
      isFirst = false;
      return;
    }
    isFirst = false;
    card.innerHTML = event.data;
    card.classList.remove("fresh");
    void card.offsetWidth;
    card.classList.add("fresh");
  };
}

function textOf(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
}

// On into the wallet, once. The address of the card alone stays behind: reloading it, or
// coming back to it, opens no wallet again.
function goOn(adding) {
  history.replaceState(null, "", adding.dataset.page);
  location.assign(adding.dataset.add);
}

const adding = document.querySelector("[data-add]");
if (adding) goOn(adding);
if (card && window.EventSource) follow();
