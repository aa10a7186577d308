// The till: counts down, follows its code and who waits by server-sent events, and lets
// a scanner that types go to the right box. Everything also works without, by reloading.
"use strict";

const READY_AFTER = 12000;

const stage = document.getElementById("stage");
let follower = null;
let goHome = 0;

function follow() {
  const url = stage && stage.dataset.events;
  if (!url || !window.EventSource) return;
  follower = new EventSource(url);
  const calm = () => Till.network.trouble("stage", false);
  follower.onopen = calm;
  follower.onerror = () => {
    Till.network.trouble("stage", true);
    // A browser gives up for good after an answer such as 502: begin again ourselves.
    if (follower.readyState === EventSource.CLOSED) {
      window.setTimeout(follow, 2000);
    }
  };
  follower.onmessage = (event) => {
    calm();
    if (event.data === "waiting") return;
    follower.close();
    delete stage.dataset.events;
    stage.innerHTML = event.data;
    window.scrollTo(0, 0);
    if (navigator.vibrate && stage.querySelector(".done")) navigator.vibrate(120);
    document.dispatchEvent(new Event("till:shown"));
  };
}

// Parts of the page that the server draws anew whenever they are others.
function live(part) {
  const source = new EventSource(part.dataset.live);
  const calm = () => Till.network.trouble(part.dataset.live, false);
  source.onopen = calm;
  source.onerror = () => {
    Till.network.trouble(part.dataset.live, true);
    if (source.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => live(part), 2000);
  };
  source.addEventListener("end", () => source.close());
  source.onmessage = (event) => {
    calm();
    // What was just pressed is on its way, and its answer is a page of its own.
    if (part.querySelector("form.busy")) return;
    part.innerHTML = event.data;
    keepTime();
  };
}

// Both clocks: one may be put back, the other stands still while a tablet sleeps.
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

// Seconds that run down, and a code that is taken away before it is no longer good:
// a server that is not heard from any more cannot do that.
function keepTime() {
  for (const element of document.querySelectorAll("[data-seconds]")) {
    const left = Math.max(0, Math.ceil(leftOf(element, element.dataset.seconds)));
    if (element.tagName === "PROGRESS") element.value = left;
    else element.textContent = element.dataset.words.replace("#", left);
  }
  const code = document.querySelector("[data-good]");
  if (!code || leftOf(code, code.dataset.good) > 0) return;
  code.replaceWith(document.getElementById("lost").content.cloneNode(true));
}

// A tablet that falls asleep takes the code away from the customer's camera.
function stayAwake() {
  if (!navigator.wakeLock || !document.querySelector(".waiting")) return;
  navigator.wakeLock.request("screen").catch(() => {});
}

function countDown() {
  const words = document.querySelector("[data-left]");
  if (!words) return;
  const bar = document.querySelector(".clock progress");
  const ends = performance.now() + Number(words.dataset.left) * 1000;
  const tick = () => {
    if (!words.isConnected) return;
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    words.textContent = words.dataset.words.replace("#", left);
    bar.value = left;
    bar.parentElement.classList.toggle("soon", left <= 15);
    if (left > 0) window.setTimeout(tick, 250);
  };
  tick();
}

// What was granted stays to be read for a while; the next tap need not wait for it.
function comeBack() {
  window.clearTimeout(goHome);
  const result = document.querySelector("[data-home]");
  if (!result) return;
  goHome = window.setTimeout(() => {
    // A form on its way must not be overtaken: its answer would never be seen.
    if (document.querySelector("form.busy")) return;
    // The browser's own error page would be what comes.
    if (Till.network.isLost) return comeBack();
    if (result.isConnected && !isTyping()) window.location.assign(result.dataset.home);
  }, READY_AFTER);
}

function isTyping() {
  const box = document.activeElement;
  return Boolean(box && box.tagName === "INPUT" && box.value);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  // What late.js keeps to itself, or a second tap.
  if (event.defaultPrevented) return;
  form.classList.add("busy");
  if (event.submitter) event.submitter.classList.add("pressed");
});

// Back in the browser's history: buttons must work again, with fresh keys.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
document.addEventListener("till:shown", comeBack);

// A USB scanner types without looking where: its first letter goes to the box.
document.addEventListener("keydown", (event) => {
  const within = document.querySelector("dialog[open]") || document.querySelector("main");
  const box = within.querySelector("[data-scan]");
  const busy = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (!box || busy || event.key.length !== 1 || event.key === " ") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  box.focus();
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

for (const name of ["focus", "pageshow"]) {
  window.addEventListener(name, keepTime);
}
document.addEventListener("visibilitychange", () => {
  keepTime();
  if (!document.hidden) stayAwake();
});

follow();
if (window.EventSource) document.querySelectorAll("[data-live]").forEach(live);
keepTime();
window.setInterval(keepTime, 250);
stayAwake();
countDown();
comeBack();
