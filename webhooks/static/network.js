// Is the server heard? Asked every few seconds, since a wireless network can be there
// and lead nowhere: neither the browser nor an open stream notices for minutes.
"use strict";

window.Till = window.Till || {};
{
  const EVERY = 5000;
  const EVERY_WHILE_LOST = 1500;
  const LIMIT = 4000;
  // A network that is slow but there must not lock the till: then we wait longer.
  const LIMIT_WHEN_SLOW = 12000;
  // A stream that ends in good order, or a restart, is over by then: no alarm.
  const ALARM_AFTER = 3000;
  const AWAY = [502, 503, 504];

  const offline = document.querySelector("[data-offline]");
  const troubles = new Map();
  const followers = [];
  let isLost = false;
  let isSlow = false;
  let heardAt = -Infinity;
  let asking = null;
  let timer = 0;

  function limit(ms) {
    if (AbortSignal.timeout) return AbortSignal.timeout(ms);
    const abort = new AbortController();
    window.setTimeout(() => abort.abort(), ms);
    return abort.signal;
  }

  function show() {
    const since = Math.min(...troubles.values());
    const isAlarm = performance.now() - since >= ALARM_AFTER || !navigator.onLine;
    if (offline) offline.hidden = !isAlarm;
  }

  // Several look out: the streams of the page, and this file.
  function trouble(source, is) {
    if (is && !troubles.has(source)) {
      troubles.set(source, performance.now());
      window.setTimeout(show, ALARM_AFTER);
    } else if (!is) {
      troubles.delete(source);
    }
    show();
  }

  function settle(isHeard) {
    const was = isLost;
    isLost = !isHeard;
    if (isHeard) heardAt = performance.now();
    trouble("network", isLost);
    if (was !== isLost) followers.forEach((tell) => tell(isHeard));
  }

  async function ask(ms) {
    const began = performance.now();
    try {
      const answer = await fetch("/healthz", { cache: "no-store", signal: limit(ms) });
      isSlow = performance.now() - began > LIMIT / 2;
      return !AWAY.includes(answer.status);
    } catch {
      return false;
    }
  }

  // Whoever waits for the answer has a queue of people before them: `ms` at most.
  function check(ms = isLost || isSlow ? LIMIT_WHEN_SLOW : LIMIT) {
    asking = asking || ask(ms).then((isHeard) => {
      asking = null;
      settle(isHeard);
      plan();
      return isHeard;
    });
    return asking;
  }

  function plan() {
    window.clearTimeout(timer);
    const next = () => (document.hidden ? plan() : check());
    timer = window.setTimeout(next, isLost ? EVERY_WHILE_LOST : EVERY);
  }

  Till.network = {
    AWAY,
    limit,
    trouble,
    check,
    get isLost() {
      return isLost || !navigator.onLine;
    },
    isFresh: () => performance.now() - heardAt < 3000,
    heard: () => settle(true),
    follow: (tell) => followers.push(tell),
  };

  window.addEventListener("offline", () => settle(false));
  window.addEventListener("online", () => check());
  document.addEventListener("visibilitychange", () => document.hidden || check());
  if (navigator.onLine) settle(true);
  else settle(false);
  plan();
}
