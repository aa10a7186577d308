// The 会員証 page: the code changes each minute by server-sent events, and an old one is
// never left standing. Without a script the page reloads itself.
"use strict";

const RETRY_AFTER = 2000;
// A connection that a sleeping phone lost without noticing says nothing for ever.
const SILENT_AFTER = 5000;

const stage = document.getElementById("member");
const offline = document.querySelector("[data-offline]");
let source = null;
let heardAt = 0;
let isOver = false;

function follow() {
  if (source) source.close();
  heardAt = Date.now();
  const mine = new EventSource(stage.dataset.events);
  source = mine;
  mine.onopen = () => { offline.hidden = true; };
  mine.onerror = () => {
    offline.hidden = false;
    // A browser gives up for good after an answer such as 410 or 502.
    if (mine.readyState === EventSource.CLOSED) window.setTimeout(look, RETRY_AFTER);
  };
  mine.addEventListener("end", () => {
    isOver = true;
    mine.close();
  });
  mine.onmessage = (event) => {
    offline.hidden = true;
    heardAt = Date.now();
    const before = given();
    stage.innerHTML = event.data;
    keepTime();
    if (given() > before) celebrate();
  };
}

// Has the page run out meanwhile, or is only the network bad?
async function look() {
  try {
    const answer = await fetch(window.location.href, { cache: "no-store" });
    if (answer.status === 410 || answer.status === 404) {
      window.location.reload();
      return;
    }
  } catch (error) {
    // Still no network: the next round asks again.
  }
  follow();
}

function given() {
  const news = stage.querySelector("[data-given]");
  return news ? Number(news.dataset.given) : 0;
}

function celebrate() {
  stage.classList.remove("fresh");
  void stage.offsetWidth;
  stage.classList.add("fresh");
  stage.querySelector(".given").scrollIntoView({ block: "nearest" });
  if (navigator.vibrate) navigator.vibrate(120);
}

// Both clocks: one may be put back, the other stands still while a phone sleeps.
function lapse(seconds) {
  const walls = Date.now() + seconds * 1000;
  const ticks = performance.now() + seconds * 1000;
  return () => Math.min(walls - Date.now(), ticks - performance.now()) / 1000;
}

const lapses = new WeakMap();

function leftOf(element, seconds) {
  if (!lapses.has(element)) lapses.set(element, lapse(Number(seconds)));
  return lapses.get(element)();
}

function keepTime() {
  const bar = stage.querySelector("[data-seconds]");
  if (bar) bar.value = Math.max(0, leftOf(bar, bar.dataset.seconds));
  const code = stage.querySelector("[data-good]");
  if (code && leftOf(code, code.dataset.good) <= 0) {
    code.replaceWith(document.getElementById("lost").content.cloneNode(true));
  }
  const isLost = Boolean(stage.querySelector(".lost"));
  if (isLost && !isOver && Date.now() - heardAt > SILENT_AFTER) follow();
}

function wake() {
  keepTime();
  if (document.hidden) return;
  if (!isOver) follow();
  stayAwake();
}

// A phone that falls asleep takes the code away from the staff's scanner.
function stayAwake() {
  if (navigator.wakeLock) navigator.wakeLock.request("screen").catch(() => {});
}

document.addEventListener("visibilitychange", wake);
window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
window.addEventListener("online", wake);
window.addEventListener("offline", () => { offline.hidden = false; });

if (window.EventSource) follow();
keepTime();
window.setInterval(keepTime, 250);
stayAwake();
