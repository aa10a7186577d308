// The bar of a new look on its way into wallets, by server-sent events.
"use strict";

const bar = document.getElementById("progress");

if (bar && window.EventSource) {
  const stream = new EventSource(bar.dataset.events);
  // Our own server's markup, escaped there.
  stream.onmessage = (event) => { bar.innerHTML = event.data; };
  stream.addEventListener("end", () => stream.close());
}
