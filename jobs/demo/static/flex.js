// Draws LINE Flex messages as LINE does.
// https://developers.line.biz/en/docs/messaging-api/flex-message-elements/
// Styles are set through element.style only, so that a strict policy lets them by.

const TEXT = { xxs: 11, xs: 13, sm: 14, md: 16, lg: 19, xl: 22, xxl: 29, "3xl": 35, "4xl": 48, "5xl": 74 };
const SPACE = { none: 0, xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };
const BORDER = { none: 0, light: 0.5, normal: 1, medium: 2, "semi-bold": 3, bold: 4 };
const IMAGE = { xxs: 40, xs: 60, sm: 80, md: 100, lg: 120, xl: 140, xxl: 160, "3xl": 180, "4xl": 200, "5xl": 220 };
const BUBBLE = { nano: 120, micro: 160, deca: 220, kilo: 260, mega: 300, giga: 386 };
const ALONG = { start: "flex-start", center: "center", end: "flex-end" };
const JUSTIFY = { ...ALONG, "flex-start": "flex-start", "flex-end": "flex-end", "space-between": "space-between", "space-around": "space-around", "space-evenly": "space-evenly" };

/** The element of a bubble or carousel. `act(action)` is told of taps, `picture(url)` gives an address that may be shown. */
export function drawFlex(contents, act, picture) {
  const tools = { act, picture };
  if (contents.type !== "carousel") return drawBubble(contents, tools);
  const row = make("div", "flex-carousel");
  row.tabIndex = 0;
  for (const bubble of contents.contents) row.append(drawBubble(bubble, tools));
  return row;
}

function drawBubble(bubble, tools) {
  const root = make("div", "flex-bubble");
  root.style.width = `${BUBBLE[bubble.size || "mega"] || 300}px`;
  const small = bubble.size === "nano" || bubble.size === "micro";
  for (const name of ["header", "hero", "body", "footer"]) {
    const part = bubble[name];
    if (!part) continue;
    const style = (bubble.styles || {})[name] || {};
    const block = make("div", `flex-block flex-${name}`);
    if (style.backgroundColor) block.style.backgroundColor = style.backgroundColor;
    if (style.separator) block.style.borderTop = `1px solid ${style.separatorColor || "#d4d6da"}`;
    const drawn = name === "hero" && part.type !== "box" ? drawImage(part, tools, true) : drawBox(part, tools);
    if (name !== "hero") padBlock(drawn, part, { header: 20, body: small ? 10 : 20, footer: 10 }[name]);
    if (name === "body") block.style.flex = "1 1 auto";
    block.append(drawn);
    root.append(block);
  }
  tappable(root, bubble.action, tools);
  return root;
}

function padBlock(element, box, usual) {
  if (box.paddingAll === undefined) {
    for (const side of ["Top", "Bottom", "Start", "End"]) {
      if (box[`padding${side}`] === undefined) element.style[`padding${side === "Start" ? "Left" : side === "End" ? "Right" : side}`] = `${usual}px`;
    }
  }
  element.style.minHeight = "100%";
}

function draw(part, parent, tools) {
  switch (part.type) {
    case "box": return drawBox(part, tools);
    case "text": return drawText(part, tools);
    case "button": return drawButton(part, tools);
    case "image": return drawImage(part, tools, false);
    case "icon": return drawIcon(part, tools);
    case "separator": return drawSeparator(part, parent);
    case "filler": case "spacer": return make("div", "flex-filler");
    default: return make("div", "flex-unknown", part.type);
  }
}

function drawBox(box, tools) {
  const root = make("div", `flex-box flex-${box.layout}`);
  const style = root.style;
  pads(style, box);
  if (box.backgroundColor) style.backgroundColor = box.backgroundColor;
  if (box.background && box.background.type === "linearGradient") style.backgroundImage = gradient(box.background);
  if (box.cornerRadius) { style.borderRadius = size(box.cornerRadius, SPACE); style.overflow = "hidden"; }
  if (box.borderWidth || box.borderColor) style.border = `${size(box.borderWidth || "normal", BORDER)} solid ${box.borderColor || "#000000"}`;
  for (const name of ["width", "height", "maxWidth", "maxHeight"]) {
    if (box[name]) style[name] = size(box[name], {});
  }
  if (box.justifyContent) style.justifyContent = JUSTIFY[box.justifyContent] || box.justifyContent;
  if (box.alignItems && box.layout !== "baseline") style.alignItems = JUSTIFY[box.alignItems] || box.alignItems;
  (box.contents || []).forEach((part, index) => {
    const child = draw(part, box, tools);
    place(child, part, box, index);
    root.append(child);
  });
  tappable(root, box.action, tools);
  return root;
}

/** How a child sits in its box: its share, its distance, its offset. */
function place(child, part, box, index) {
  const across = box.layout !== "vertical";
  const style = child.style;
  if (part.type === "separator") {
    style.flex = "none";
  } else if (part.type === "filler") {
    style.flex = `${part.flex ?? 1} ${part.flex ?? 1} 0`;
  } else {
    const fixed = across ? part.width : part.height;
    const share = part.flex ?? (part.type === "icon" ? 0 : across && !fixed ? 1 : 0);
    style.flex = share > 0 ? `${share} ${share} 0` : "0 0 auto";
    if (share > 0) style.minWidth = across ? "0" : "";
    if (part.type === "image" && across && share > 0) style.width = "auto";
  }
  const gap = part.margin ?? (index > 0 ? box.spacing : undefined);
  if (gap !== undefined && part.position !== "absolute") style[across ? "marginLeft" : "marginTop"] = size(gap, SPACE);
  if (part.position === "absolute") style.position = "absolute";
  const sides = { offsetTop: "top", offsetBottom: "bottom", offsetStart: "left", offsetEnd: "right" };
  for (const [name, side] of Object.entries(sides)) {
    if (part[name] !== undefined) style[side] = size(part[name], SPACE);
  }
}

function drawText(text, tools) {
  const root = make("div", "flex-text");
  font(root.style, text);
  const style = root.style;
  style.textAlign = text.align || "start";
  if (text.gravity) style.alignSelf = { top: "flex-start", center: "center", bottom: "flex-end" }[text.gravity];
  if (text.wrap) root.classList.add("wraps");
  if (text.lineSpacing) style.lineHeight = `calc(1.4em + ${text.lineSpacing})`;
  if (text.maxLines) {
    root.classList.add("clamped");
    style.webkitLineClamp = String(text.maxLines);
  }
  if (text.contents && text.contents.length) {
    for (const span of text.contents) {
      const piece = make("span", "", span.text);
      font(piece.style, span);
      root.append(piece);
    }
  } else {
    root.textContent = text.text || "";
  }
  tappable(root, text.action, tools);
  return root;
}

function font(style, text) {
  if (text.size || text.type === "text") style.fontSize = size(text.size || "md", TEXT);
  if (text.color) style.color = text.color;
  if (text.weight) style.fontWeight = text.weight === "bold" ? "700" : "400";
  if (text.style === "italic") style.fontStyle = "italic";
  if (text.decoration) style.textDecoration = text.decoration;
}

function drawButton(button, tools) {
  const kind = button.style || "link";
  const root = make("button", `flex-button is-${kind}`, (button.action || {}).label || "");
  root.type = "button";
  root.style.height = button.height === "sm" ? "40px" : "52px";
  if (button.color) root.style[kind === "link" ? "color" : "backgroundColor"] = button.color;
  if (button.gravity) root.style.alignSelf = { top: "flex-start", center: "center", bottom: "flex-end" }[button.gravity];
  root.addEventListener("click", (event) => { event.stopPropagation(); tools.act(button.action); });
  return root;
}

function drawImage(image, tools, isHero) {
  const root = make("div", "flex-image");
  const width = image.size || (isHero ? "full" : "md");
  root.style.width = width === "full" ? "100%" : size(width, IMAGE);
  root.style.maxWidth = "100%";
  root.style.aspectRatio = (image.aspectRatio || "1:1").replace(":", " / ");
  root.style.alignSelf = ALONG[image.align || "center"];
  if (image.backgroundColor) root.style.backgroundColor = image.backgroundColor;
  const picture = make("img", "");
  picture.alt = "";
  picture.src = tools.picture(image.url);
  picture.style.objectFit = image.aspectMode === "cover" ? "cover" : "contain";
  root.append(picture);
  tappable(root, image.action, tools);
  return root;
}

function drawIcon(icon, tools) {
  const picture = make("img", "flex-icon");
  const height = size(icon.size || "md", TEXT);
  picture.style.height = height;
  const [wide, high] = (icon.aspectRatio || "1:1").split(":").map(Number);
  picture.style.width = `calc(${height} * ${wide / high})`;
  picture.alt = "";
  picture.src = tools.picture(icon.url);
  return picture;
}

function drawSeparator(separator, parent) {
  const root = make("div", parent.layout === "vertical" ? "flex-line" : "flex-line is-upright");
  root.style.backgroundColor = separator.color || "#d4d6da";
  return root;
}

function pads(style, box) {
  if (box.paddingAll !== undefined) style.padding = size(box.paddingAll, SPACE);
  const sides = { paddingTop: "paddingTop", paddingBottom: "paddingBottom", paddingStart: "paddingLeft", paddingEnd: "paddingRight" };
  for (const [name, side] of Object.entries(sides)) {
    if (box[name] !== undefined) style[side] = size(box[name], SPACE);
  }
}

function gradient(of) {
  const middle = of.centerColor ? `, ${of.centerColor} ${of.centerPosition || "50%"}` : "";
  return `linear-gradient(${of.angle}, ${of.startColor}${middle}, ${of.endColor})`;
}

function tappable(element, action, tools) {
  if (!action) return;
  element.classList.add("taps");
  element.tabIndex = 0;
  element.setAttribute("role", "button");
  if (action.label) element.setAttribute("aria-label", action.label);
  const tap = (event) => { event.stopPropagation(); tools.act(action); };
  element.addEventListener("click", tap);
  element.addEventListener("keydown", (event) => { if (event.key === "Enter") tap(event); });
}

/** A keyword or "12px" or "50%" as CSS; bare numbers are pixels. */
function size(value, keywords) {
  if (value in keywords) return `${keywords[value]}px`;
  return /^[\d.]+$/.test(value) ? `${value}px` : value;
}

export function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}
