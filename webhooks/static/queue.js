// Sends what waits on this device, one by one, until the server has said what became
// of each. An item's key stays the same: sent twice, it is one stamp.
"use strict";

{
  const LIMIT = 10000;
  const FIRST_WAIT = 2000;
  const LONGEST_WAIT = 300000;
  const BUSY_WAIT = 3000;
  // What the server will say again and again, however often it is asked.
  const NEVER = [400, 404, 413, 415];
  const LOCK = "till-late";

  const page = document.querySelector("[data-queue]");
  const followers = [];
  let failures = 0;
  let timer = 0;
  let said = "";

  const tell = () => followers.forEach((follow) => follow());
  const waits = (item) => item.state === "waiting" || item.state === "withdrawing";

  function add(item) {
    const kept = Till.store.put({
      state: "waiting",
      at: Date.now(),
      merchant: page.dataset.merchant,
      pass: page.dataset.pass,
      program: "",
      tried: false,
      ...item,
    });
    if (kept) later(FIRST_WAIT);
    tell();
    return kept;
  }

  function later(wait) {
    window.clearTimeout(timer);
    if (Till.store.all().some(waits)) timer = window.setTimeout(replay, wait);
  }

  // One page at a time: not needed for the stamps, which have their keys, but for who
  // reads "sent" and "cancelled" at the same moment.
  async function alone(act) {
    if (!navigator.locks) return act();
    return navigator.locks.request(LOCK, { ifAvailable: true }, (lock) =>
      lock ? act() : false,
    );
  }

  async function replay() {
    window.clearTimeout(timer);
    if (!Till.store.all().some(waits)) return;
    said = page.dataset.trying;
    tell();
    const isDone = await alone(round);
    if (isDone === false) {
      later(BUSY_WAIT);
    } else if (isDone === "again") {
      failures += 1;
      const wait = Math.min(FIRST_WAIT * 2 ** failures, LONGEST_WAIT);
      later(wait * (0.75 + Math.random() / 2));
    } else {
      failures = 0;
      later(FIRST_WAIT); // what was added meanwhile
    }
    if (said === page.dataset.trying) said = "";
    tell();
  }

  async function round() {
    const csrf = await askWhose();
    if (!csrf) return "again";
    let isDone = "done";
    for (const { key } of Till.store.all().filter(waits)) {
      const status = await send(Till.store.get(key), csrf);
      tell();
      if (status === 0) return "again";
      if (status !== 200 && !NEVER.includes(status)) isDone = "again";
    }
    return isDone;
  }

  // The page may be older than the sign-in: its token no longer counts then, and
  // somebody else's stamps are not sent from here.
  async function askWhose() {
    try {
      const signal = Till.network.limit(LIMIT);
      const answer = await fetch("/till/queue", { cache: "no-store", signal });
      said = answer.status === 401 ? page.dataset.signedOut : page.dataset.trying;
      if (!answer.ok) return "";
      const whose = await answer.json();
      return whose.merchant === page.dataset.merchant ? whose.csrf : "";
    } catch {
      return "";
    }
  }

  async function send(item, csrf) {
    if (!item || !waits(item)) return 200;
    // Noted before it goes: from now on nobody can know that it did not arrive.
    Till.store.change(item.key, { tried: true });
    let answer, body;
    try {
      answer = await fetch("/till/queue", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
        body: JSON.stringify(asked(item)),
        signal: Till.network.limit(LIMIT),
      });
      const isJson = /json/.test(answer.headers.get("Content-Type"));
      body = isJson ? await answer.json() : null;
    } catch {
      return 0;
    }
    if (body && (answer.ok || NEVER.includes(answer.status))) keep(item, body);
    else if (NEVER.includes(answer.status)) keep(item, { outcome: "refused" });
    return answer.status;
  }

  function asked(item) {
    const { key, what, n, program, pass, at, state } = item;
    const act = state === "withdrawing" ? "withdraw" : "send";
    // How long ago, not when: a clock that is wrong all the time does no harm so.
    return { do: act, key, what, n, program, pass, age: Math.round(Date.now() - at) };
  }

  function keep(sent, body) {
    const item = Till.store.get(sent.key);
    // Cancelled while it was under way: that is asked next.
    if (!item || item.state !== sent.state) return;
    const { words = "", who = item.who, card = "", balance = "" } = body;
    if (body.outcome === "granted" || body.outcome === "refused") {
      const state = body.outcome === "granted" ? "sent" : "refused";
      Till.store.change(item.key, { state, words, who, card, balance });
    } else {
      Till.store.drop(item.key);
    }
  }

  // What was never sent is simply gone; of the rest the server knows.
  async function remove(key) {
    const gone = await alone(() => {
      const item = Till.store.get(key);
      if (!item || item.tried || item.state !== "waiting") return false;
      Till.store.drop(key);
      return true;
    });
    const item = gone ? null : Till.store.get(key);
    if (item && item.state === "waiting") {
      Till.store.change(key, { state: "withdrawing" });
      replay();
    }
    tell();
  }

  function see(key) {
    const item = Till.store.get(key);
    if (item && !waits(item)) Till.store.drop(key);
    tell();
  }

  Till.queue = {
    add,
    remove,
    see,
    waits,
    now() {
      failures = 0;
      replay();
    },
    said: () => said,
    follow: (follow) => followers.push(follow),
  };

  window.addEventListener("storage", (event) => {
    if (Till.store.is(event.key)) tell();
  });
  Till.network.follow((isHeard) => isHeard && Till.queue.now());
  document.addEventListener("visibilitychange", () => document.hidden || later(0));
  later(0);
}
