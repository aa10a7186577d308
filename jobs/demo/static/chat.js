// The LINE chat: lines, quick replies, rich menu, input.
import { drawFlex, make } from "./flex.js";

const list = document.getElementById("chat-lines");
const input = document.getElementById("chat-text");
const quick = document.getElementById("quick-replies");
const menu = document.getElementById("rich-menu");
const menuBar = document.getElementById("menu-bar");
let drawn = [];
let menuDrawn = "";

/** Draw what is new in the chat. `tools.act` is told of taps, `tools.picture` proxies. */
export function drawChat(state, words, tools) {
  const ids = state.chat.map((item) => item.id);
  const isAppended = drawn.every((id, index) => ids[index] === id);
  if (!isAppended) list.replaceChildren();
  const fresh = isAppended ? state.chat.slice(drawn.length) : state.chat;
  for (const item of fresh) drawItem(item, state, words, tools);
  drawn = ids;
  drawTyping(state);
  drawQuickReplies(state, tools);
  drawMenu(state, tools);
  if (fresh.length) requestAnimationFrame(() => { list.scrollTop = list.scrollHeight; });
}

/** Put `text` into the input, as a scanned code does; the customer presses send. */
export function prefill(text) {
  input.value = text;
  input.classList.add("is-filled");
  document.getElementById("chat-send").disabled = !text;
  input.focus({ preventScroll: true });
}

function drawItem(item, state, words, tools) {
  if (item.who === "notice") {
    list.append(make("p", "chat-notice", words[`chat_${item.how}`]));
    return;
  }
  if (item.who === "person" && !item.message.text && item.message.type !== "location") return;
  const isBot = item.who === "bot";
  const row = make("div", `chat-line is-${item.who}`);
  if (isBot) row.append(make("span", "avatar", state.shop.slice(0, 1)));
  const side = make("div", "chat-side");
  if (isBot) side.append(make("span", "chat-name", state.shop));
  const pair = make("div", "chat-pair");
  pair.append(drawMessage(item.message, tools), make("time", "", item.at));
  side.append(pair);
  row.append(side);
  list.append(row);
}

function drawMessage(message, tools) {
  if (message.type === "flex") return drawFlex(message.contents, tools.act, tools.picture);
  if (message.type === "image") {
    const picture = make("img", "chat-picture");
    picture.src = tools.picture(message.previewImageUrl);
    return picture;
  }
  const balloon = make("div", "balloon");
  const place = message.type === "location" ? message.title : "";
  for (const piece of (message.text || message.altText || place || `[${message.type}]`).split(/(https?:\/\/\S+)/)) {
    if (!/^https?:\/\//.test(piece)) { balloon.append(piece); continue; }
    const link = make("button", "link", piece);
    link.type = "button";
    link.addEventListener("click", () => tools.act({ type: "uri", uri: piece }));
    balloon.append(link);
  }
  return balloon;
}

function drawTyping(state) {
  list.querySelector(".is-typing")?.remove();
  if (!state.is_typing) return;
  const row = make("div", "chat-line is-bot is-typing");
  const balloon = make("div", "balloon");
  balloon.append(make("i"), make("i"), make("i"));
  row.append(make("span", "avatar", state.shop.slice(0, 1)), balloon);
  list.append(row);
  list.scrollTop = list.scrollHeight;
}

function drawQuickReplies(state, tools) {
  const last = state.chat.at(-1);
  const items = last?.who === "bot" ? last.message.quickReply?.items ?? [] : [];
  quick.replaceChildren(...items.map((item) => {
    const chip = make("button", "", item.action.label);
    chip.type = "button";
    chip.addEventListener("click", () => tools.act(item.action));
    return chip;
  }));
  quick.hidden = !items.length;
}

function drawMenu(state, tools) {
  const wanted = state.menu?.id ?? "";
  if (wanted === menuDrawn) return;
  menuDrawn = wanted;
  menu.replaceChildren();
  menuBar.hidden = !state.menu;
  menu.hidden = !state.menu?.is_open;
  if (!state.menu) return;
  menuBar.textContent = state.menu.bar;
  menuBar.setAttribute("aria-expanded", String(!menu.hidden));
  const { width, height } = state.menu.size;
  menu.style.aspectRatio = `${width} / ${height}`;
  const picture = make("img");
  picture.src = `/menu/${encodeURIComponent(state.menu.id)}`;
  picture.alt = "";
  menu.append(picture);
  for (const area of state.menu.areas) {
    const button = make("button", "", "");
    button.type = "button";
    button.setAttribute("aria-label", area.action.label || area.action.displayText || area.action.text || "");
    const { x, y, width: w, height: h } = area.bounds;
    Object.assign(button.style, { left: `${(x / width) * 100}%`, top: `${(y / height) * 100}%`, width: `${(w / width) * 100}%`, height: `${(h / height) * 100}%` });
    button.addEventListener("click", () => tools.act(area.action));
    menu.append(button);
  }
}

menuBar.addEventListener("click", () => {
  menu.hidden = !menu.hidden;
  menuBar.setAttribute("aria-expanded", String(!menu.hidden));
  list.scrollTop = list.scrollHeight;
});
