// The phone page: fetches the state, draws it, and passes taps on.
import { drawChat, prefill } from "./chat.js";
import { make } from "./flex.js";
import { drawWallet } from "./wallet.js";

const language = document.documentElement.lang;
const service = document.body.dataset.service.replace(/\/$/, "");
const at = (id) => document.getElementById(id);
const sheets = ["camera", "wallet-sheet", "place-sheet", "date-sheet"].map(at);
let words = {};
let state = null;
let side = "apple";
let link = "";
let asked = null;
let busy = Promise.resolve();

const tools = { act, picture, remove: (serial) => post("/wallet/apple/remove", { serial }) };

start();

async function start() {
  words = await (await fetch(`/words?lang=${language}`)).json();
  await look();
  const events = new EventSource("/events");
  events.onmessage = () => { busy = busy.then(look); };
  tick();
  setInterval(tick, 5000);
}

async function look() {
  const answer = await fetch(`/state?lang=${language}`).catch(() => null);
  if (!answer?.ok) return;
  state = await answer.json();
  draw();
}

function draw() {
  at("greeting").hidden = state.is_friend || state.chat.length > 0;
  drawChat(state, words, tools);
  drawWallet(state, words, side, tools);
  drawSteps();
  drawFinder();
  at("add-google").hidden = !state.has_google;
  for (const mark of document.querySelectorAll(".live")) mark.hidden = !state.codes.length;
}

function drawSteps() {
  let isNext = true;
  for (const [name, isDone] of Object.entries(state.steps)) {
    const step = at(`step-${name}`);
    step.classList.toggle("is-done", isDone);
    step.classList.toggle("is-next", !isDone && isNext);
    if (!isDone) isNext = false;
  }
  document.querySelector("#step-friend .action").disabled = state.is_friend;
}

function drawFinder() {
  const finder = at("finder");
  const key = JSON.stringify(state.codes);
  if (finder.dataset.key === key) return;
  finder.dataset.key = key;
  finder.replaceChildren();
  finder.classList.toggle("is-empty", !state.codes.length);
  if (!state.codes.length) {
    const till = make("a", "finder-till", words.open_till);
    till.href = document.querySelector("#step-stamp a").href;
    till.target = "_blank";
    till.rel = "noopener";
    finder.append(make("p", "", words.camera_empty), till);
  }
  for (const code of state.codes) {
    const target = make("button", "finder-code");
    target.type = "button";
    const picture = make("img");
    picture.src = `/qr.svg?text=${encodeURIComponent(code.line_url)}`;
    picture.alt = code.code;
    const frame = make("span", "finder-frame");
    frame.append(picture);
    target.append(frame, make("span", "finder-chip", words.open_in_line));
    target.addEventListener("click", () => useCode(code.line_url));
    finder.append(target);
  }
}

async function useCode(code) {
  const answer = await post("/scan", { code });
  if (!answer.text) { say(words.unknown_code); return; }
  close();
  show("line");
  prefill(answer.text);
  say(words.press_send);
}

/** A tap on an action of LINE's. https://developers.line.biz/en/reference/messaging-api/#action-objects */
function act(action) {
  if (!action) return;
  switch (action.type) {
    case "message": post("/say", { text: action.text || action.label }); break;
    case "postback":
    case "richmenuswitch":
      if (action.fillInText) prefill(action.fillInText);
      else if (action.inputOption === "openKeyboard") at("chat-text").focus();
      post("/postback", { data: action.data, displayText: action.displayText || action.text });
      break;
    case "uri": follow(action.uri); break;
    case "datetimepicker": asked = action; open("date-sheet"); break;
    case "location": open("place-sheet"); break;
    case "clipboard": copy(action.clipboardText); break;
    default: break;
  }
}

function follow(uri) {
  if (uri.startsWith("https://line.me/R/oaMessage/")) { useCode(uri); return; }
  link = uri;
  if (uri.startsWith(`${service}/w/`)) open("wallet-sheet");
  else window.open(uri, "_blank", "noopener");
}

async function addTo(which) {
  close();
  choose(which);
  show("wallet");
  say(words.adding);
  const answer = await post(`/wallet/${which}`, { url: link });
  if (answer.problem !== undefined) { say(words.add_failed); return; }
  await look();
  say(words.added);
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
  if (!answer) { say(words.offline); return { problem: "offline" }; }
  const found = await answer.json().catch(() => ({ problem: String(answer.status) }));
  if ("status" in found && found.status !== 200) say(words.not_taken);
  return found;
}

/** LINE and Google fetch pictures on their own servers; here the page's server does. */
function picture(url) {
  if (!url || url.startsWith("data:") || url.startsWith("/")) return url;
  return `/picture?url=${encodeURIComponent(url)}`;
}

function choose(which) {
  side = which;
  for (const tab of document.querySelectorAll("[data-side]")) tab.setAttribute("aria-selected", String(tab.dataset.side === which));
  at("pane-wallet").dataset.shown = which;
  if (state) drawWallet(state, words, side, tools);
}

function show(pane) {
  document.body.dataset.pane = pane;
  for (const tab of document.querySelectorAll("[data-pane-of]")) tab.setAttribute("aria-current", String(tab.dataset.paneOf === pane));
  if (pane === "line") at("chat-lines").scrollTop = at("chat-lines").scrollHeight;
}

function open(id) {
  close();
  show("line");
  at(id).hidden = false;
  at("veil").hidden = id === "camera";
}

function close() {
  for (const sheet of sheets) sheet.hidden = true;
  at("veil").hidden = true;
}

/** A short word at the top of the phone that is looked at. */
function say(text) {
  const toast = at("toast");
  const pane = document.body.dataset.pane === "wallet" ? "wallet" : "line";
  document.querySelector(`#pane-${pane} .screen`).append(toast);
  toast.textContent = text;
  toast.classList.add("is-shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => toast.classList.remove("is-shown"), 2600);
}

async function copy(text, button) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  if (!button) { say(words.copied); return; }
  button.textContent = words.copied;
  setTimeout(() => { button.textContent = words.copy; }, 1600);
}

function tick() {
  // The shop and its customer are in Japan, wherever the reader is.
  const text = new Date().toLocaleTimeString("ja-JP", { timeZone: "Asia/Tokyo", hour: "numeric", minute: "2-digit" });
  for (const clock of document.querySelectorAll(".clock")) clock.textContent = text;
}

const deeds = {
  follow: () => { show("line"); post("/follow", {}); },
  camera: () => open("camera"),
  close,
  "show-wallet": () => show("wallet"),
  "add-apple": () => addTo("apple"),
  "add-google": () => addTo("google"),
  "place-shop": () => { close(); post("/place", { is_there: true }); },
  "place-away": () => { close(); post("/place", { is_there: false }); },
  "open-link": () => { close(); window.open(link, "_blank", "noopener"); },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do],[data-copy],[data-side],[data-pane-of]");
  if (!button) return;
  const { do: deed, copy: text, side: which, paneOf } = button.dataset;
  if (deed) deeds[deed]();
  else if (text) copy(text, button);
  else if (which) choose(which);
  else show(paneOf);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
at("veil").addEventListener("click", close);
at("chat-text").addEventListener("input", () => { at("chat-send").disabled = !at("chat-text").value.trim(); });
at("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("chat-text").value.trim();
  if (!text) return;
  prefill("");
  at("chat-text").classList.remove("is-filled");
  post("/say", { text });
});
at("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = at("code-text").value.trim();
  if (!code) return;
  at("code-text").value = "";
  useCode(code);
});
at("date-sheet").addEventListener("submit", (event) => {
  event.preventDefault();
  close();
  post("/postback", { data: asked.data, params: { date: at("date-value").value } });
});
show("guide");
