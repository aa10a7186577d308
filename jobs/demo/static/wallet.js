// The Wallet: passes as Apple and Google draw them, and the lock screen's banner.
import { make } from "./flex.js";

const shelf = document.getElementById("wallet-shelf");
const banner = document.getElementById("banner");
let told = null;
let wasDrawn = "";

/** Draw the passes of the side that is shown ("apple" or "google"). */
export function drawWallet(state, words, side, tools) {
  const key = JSON.stringify([side, state[side]]);
  if (key !== wasDrawn) {
    wasDrawn = key;
    const open = new Set([...shelf.querySelectorAll(".is-turned")].map((e) => e.dataset.id));
    const draw = side === "apple" ? drawApple : drawGoogle;
    const cards = state[side].map((pass) => draw(pass, words, tools));
    for (const card of cards) card.classList.toggle("is-turned", open.has(card.dataset.id));
    shelf.replaceChildren(...(cards.length ? cards : [drawNothing(words, side)]));
  }
  announce(state, words);
}

function drawNothing(words, side) {
  const empty = make("div", "wallet-empty");
  empty.append(make("div", "ghost"), make("strong", "", words.wallet_empty), make("p", "", words[`wallet_empty_${side}`]));
  return empty;
}

function drawApple(pass, words, tools) {
  const card = make("article", `pass apple${pass.voided ? " is-void" : ""}`);
  card.dataset.id = pass.serial;
  const front = make("div", "pass-front");
  front.style.backgroundColor = pass.background;
  front.style.color = pass.foreground;
  front.append(appleHead(pass), appleStrip(pass));
  const row = [...pass.fields.secondary, ...pass.fields.auxiliary];
  if (row.length) front.append(fieldRow(row, pass, "pass-row"));
  front.append(codeBox(pass.code, pass.code_text));
  const turn = make("button", "pass-info", "i");
  turn.type = "button";
  turn.setAttribute("aria-label", words.pass_back);
  turn.addEventListener("click", () => card.classList.toggle("is-turned"));
  front.append(turn);
  card.append(front, appleBack(pass, words, card, tools));
  return card;
}

function appleHead(pass) {
  const head = make("header", "pass-head");
  if (pass.pictures.logo) {
    const logo = make("img", "pass-logo");
    logo.src = pass.pictures.logo;
    logo.alt = "";
    head.append(logo);
  }
  head.append(make("span", "pass-title", pass.logo_text));
  const fields = make("div", "pass-header-fields");
  for (const field of pass.fields.header) fields.append(drawField(field, pass));
  head.append(fields);
  return head;
}

function appleStrip(pass) {
  const strip = make("div", "pass-strip");
  if (pass.pictures.strip) {
    const picture = make("img");
    picture.src = pass.pictures.strip;
    picture.alt = pass.description;
    strip.append(picture);
  }
  for (const field of pass.fields.primary) strip.append(drawField(field, pass));
  return strip;
}

function fieldRow(fields, pass, name) {
  const row = make("div", name);
  for (const field of fields) row.append(drawField(field, pass));
  return row;
}

function drawField(field, pass) {
  const box = make("div", "pass-field");
  if (field.align) box.style.textAlign = field.align;
  const label = make("span", "pass-label", field.label);
  label.style.color = pass.label;
  box.append(label, make("span", "pass-value", field.value));
  return box;
}

function codeBox(code, text) {
  const box = make("div", "pass-code");
  if (!code) return box;
  const frame = make("div", "pass-qr");
  const picture = make("img");
  picture.src = `/qr.svg?text=${encodeURIComponent(code)}`;
  picture.alt = "QR";
  frame.append(picture);
  if (text) frame.append(make("span", "", text));
  box.append(frame);
  return box;
}

function appleBack(pass, words, card, tools) {
  const back = make("div", "pass-back");
  const done = make("button", "pass-done", words.pass_done);
  done.type = "button";
  done.addEventListener("click", () => card.classList.remove("is-turned"));
  const list = make("dl", "pass-details");
  for (const field of pass.fields.back) {
    list.append(make("dt", "", field.label), make("dd", "", field.value.replace(/<[^>]+>/g, "")));
  }
  const remove = make("button", "pass-remove", words.pass_remove);
  remove.type = "button";
  remove.addEventListener("click", () => tools.remove(pass.serial));
  back.append(done, list, remove);
  return back;
}

function drawGoogle(pass, words, tools) {
  const card = make("article", `pass google${pass.state === "ACTIVE" ? "" : " is-void"}`);
  card.dataset.id = pass.id;
  const front = make("div", "pass-front");
  front.style.backgroundColor = pass.background;
  front.style.color = ink(pass.background);
  const head = make("header", "pass-head");
  const logo = make("span", "google-logo", pass.logo ? undefined : pass.issuer.slice(0, 1));
  if (pass.logo) {
    const picture = make("img");
    picture.src = tools.picture(pass.logo);
    picture.alt = "";
    logo.append(picture);
  }
  head.append(logo, make("span", "google-issuer", pass.issuer));
  front.append(head, make("h3", "google-program", pass.program));
  for (const row of pass.rows) front.append(fieldRow(row, { label: "inherit" }, "pass-row"));
  for (const item of pass.above) front.append(make("p", "google-above", item.value));
  const code = codeBox(pass.code, pass.code_text);
  code.classList.toggle("is-changing", pass.is_changing);
  front.append(code);
  if (pass.hero) {
    const hero = make("img", "google-hero");
    hero.src = tools.picture(pass.hero);
    hero.alt = "";
    front.append(hero);
  }
  card.append(front, googleDetails(pass, words));
  return card;
}

function googleDetails(pass, words) {
  const fold = make("details", "google-details");
  fold.append(make("summary", "", words.pass_details));
  const list = make("dl", "pass-details");
  for (const item of pass.details) list.append(make("dt", "", item.label), make("dd", "", item.value));
  fold.append(list);
  return fold;
}

/** Google picks the text colour itself: dark on light backgrounds, else white. */
function ink(colour) {
  const hex = colour.replace("#", "").replace(/^(.)(.)(.)$/, "$1$1$2$2$3$3");
  const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 160 ? "#202124" : "#ffffff";
}

/** Show what the lock screen shows; nothing of what was there before the page opened. */
function announce(state, words) {
  const last = state.notices.at(-1);
  const isNew = told !== null && last && last.id !== told;
  told = last ? last.id : "";
  if (!isNew) return;
  const pass = state.apple.find((one) => one.serial === last.serial);
  banner.replaceChildren();
  const icon = make("span", "banner-icon");
  if (pass?.pictures.icon) {
    const picture = make("img");
    picture.src = pass.pictures.icon;
    picture.alt = "";
    icon.append(picture);
  }
  const said = make("div", "banner-text");
  said.append(make("strong", "", pass?.name || state.shop), make("span", "", last.text));
  banner.append(icon, said, make("time", "", words.banner_now));
  banner.classList.add("is-shown");
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => banner.classList.remove("is-shown"), 7000);
}

banner.addEventListener("click", () => banner.classList.remove("is-shown"));
