// The banner of what waits on this device, and its list. What was refused stays until
// staff have seen it, with the reason and the customer.
"use strict";

{
  const page = document.querySelector("[data-queue]");
  const list = page.querySelector("ul");
  const said = page.querySelector("[data-said]");
  const retry = page.querySelector("[data-do=retry]");
  const words = page.dataset;
  let drawn = "";

  function count(kind, n) {
    const one = words[`${kind}One`];
    return (n === 1 && one ? one : words[kind]).replace("#", n);
  }

  function state(item) {
    if (item.state === "waiting") return words.stateWaiting;
    if (item.state === "withdrawing") return words.stateWithdrawing;
    return item.balance && item.state === "sent"
      ? `${item.words} (${item.balance})`
      : item.words || "";
  }

  function at(item) {
    const day = { month: "numeric", day: "numeric" };
    const time = { hour: "numeric", minute: "2-digit", hourCycle: "h23" };
    const isToday = new Date(item.at).toDateString() === new Date().toDateString();
    const shape = isToday ? time : { ...day, ...time };
    return new Date(item.at).toLocaleString(document.documentElement.lang, shape);
  }

  function row(item) {
    const line = page.querySelector("template").content.cloneNode(true);
    const put = (name) => line.querySelector(`[data-put=${name}]`);
    put("who").textContent = item.who;
    put("added").textContent = words.added.replace("#", item.n);
    put("at").textContent = at(item);
    put("words").textContent = state(item);
    const card = put("card");
    if (item.card) card.href = item.card;
    card.hidden = !item.card;
    line.querySelector("[data-do=remove]").hidden = item.state !== "waiting";
    line.querySelector("[data-do=seen]").hidden = Till.queue.waits(item);
    const entry = line.querySelector("li");
    entry.dataset.key = item.key;
    entry.className = `late-${item.state}`;
    return entry;
  }

  function draw() {
    const items = Till.store.all();
    const of = (...states) => items.filter((item) => states.includes(item.state));
    const groups = {
      waiting: of("waiting", "withdrawing"),
      refused: of("refused"),
      sent: of("sent"),
    };
    page.hidden = !items.length;
    for (const [kind, group] of Object.entries(groups)) {
      const label = page.querySelector(`[data-count=${kind}]`);
      label.textContent = group.length ? count(kind, group.length) : "";
      label.hidden = !group.length;
    }
    const isWaiting = groups.waiting.length > 0;
    page.dataset.worst = groups.refused.length
      ? "refused"
      : isWaiting ? "waiting" : "sent";
    said.textContent = isWaiting ? Till.queue.said() || words.hint : "";
    said.hidden = retry.hidden = !isWaiting;
    // Only when it is another one: a finger may be on a button of it.
    const now = JSON.stringify(items.map((item) => [item.key, state(item)]));
    if (now !== drawn) {
      drawn = now;
      const all = [...groups.refused, ...groups.waiting, ...groups.sent];
      list.replaceChildren(...all.map(row));
    }
    keptPanels();
  }

  // On a card's page: what became of the stamp that was kept there.
  function keptPanels() {
    for (const panel of document.querySelectorAll(".kept[data-key]")) {
      const item = Till.store.get(panel.dataset.key);
      const isOff = !item || item.state === "withdrawing";
      panel.querySelector("[data-do=remove]").hidden = !item || item.state !== "waiting";
      panel.querySelector("[data-off]").hidden = !isOff;
      panel.classList.toggle("done", Boolean(item) && item.state === "sent");
      panel.classList.toggle("bad", Boolean(item) && item.state === "refused");
      panel.querySelector("[data-put=words]").hidden = !item;
      if (!item || item.state === "waiting") continue;
      panel.querySelector("[data-put=words]").textContent = state(item);
      const badge = { sent: words.given, refused: words.notGiven }[item.state];
      if (badge) panel.querySelector("[data-put=badge]").textContent = badge;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    if (button === retry) Till.queue.now();
    const item = button.closest("[data-key]");
    if (!item) return;
    if (button.dataset.do === "remove") Till.queue.remove(item.dataset.key);
    if (button.dataset.do === "seen") Till.queue.see(item.dataset.key);
  });

  Till.queue.follow(draw);
  draw();
}
