"""A Flex bubble, as the bot sends it, drawn as LINE shows it: for the preview.

Knows the parts that `bot.flex` uses.
https://developers.line.biz/en/docs/messaging-api/flex-message-layout/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from webhooks.merchant.svg import box, drawing, text_width, words, wrap

Part = dict[str, Any]

WIDTH = 300.0  # a bubble of the size "mega"
_GAPS = {"none": 0, "xs": 2, "sm": 4, "md": 8, "lg": 12, "xl": 16, "xxl": 20}
_TEXTS = {"xxs": 11, "xs": 13, "sm": 14, "md": 16, "lg": 19, "xl": 22, "xxl": 29}
_PADDING = {"header": 20.0, "body": 20.0, "footer": 10.0}
_LINE = 1.36
_BASE = 1.02  # where a line's baseline is, in text sizes
_BUTTON = 40.0


@dataclass(frozen=True, slots=True)
class _Drawn:
    svg: Markup
    height: float


def draw_bubble(bubble: Part, label: str) -> Markup:
    """The whole bubble as one SVG, `label` being its text for ears."""
    y, parts = 0.0, []
    for place, padding in _PADDING.items():
        if place in bubble:
            block = bubble[place]
            drawn = _box({"paddingAll": f"{padding}px", **block}, 0, y, WIDTH)
            parts.append(drawn.svg)
            y += drawn.height
    paper = box(0, 0, WIDTH, y, "#FFFFFF")
    return drawing(WIDTH, y, label, paper, *parts)


def _part(part: Part, x: float, y: float, width: float) -> _Drawn:
    match part["type"]:
        case "box":
            return _box(part, x, y, width)
        case "text":
            return _text(part, x, y, width)
        case "button":
            return _button(part, x, y, width)
        case "separator":
            return _Drawn(box(x, y, width, 1, "#E3E3E0"), 1)
        case _:
            return _Drawn(Markup(""), 0)


def _box(part: Part, x: float, y: float, width: float) -> _Drawn:
    pad = _pixels(part.get("paddingAll"), 0)
    inner = width - 2 * pad
    lay = _row if part["layout"] == "horizontal" else _column
    height = _pixels(part.get("height"), 0)
    drawn = lay(part, x + pad, y + pad, inner)
    if part.get("justifyContent") == "center" and height:
        drawn = lay(part, x + pad, y + (height - drawn.height) / 2, inner)
    height = height or drawn.height + 2 * pad
    return _Drawn(_ground(part, x, y, width, height) + drawn.svg, height)


def _ground(part: Part, x: float, y: float, width: float, height: float) -> Markup:
    fill = part.get("backgroundColor")
    if fill is None:
        return Markup("")
    thick = _pixels(part.get("borderWidth"), 0)
    border = (thick, part["borderColor"]) if thick else None
    radius = _pixels(part.get("cornerRadius"), 0)
    return box(x, y, width, height, fill, radius=radius, border=border)


def _column(part: Part, x: float, y: float, width: float) -> _Drawn:
    gap, svg, used = _pixels(part.get("spacing"), 0), Markup(""), 0.0
    for index, child in enumerate(part["contents"]):
        used += _pixels(child.get("margin"), gap) if index else 0
        wide = _own_width(child, width) or width
        left = x + (width - wide) / 2 if part.get("alignItems") == "center" else x
        drawn = _part(child, left, y + used, wide)
        svg += drawn.svg
        used += drawn.height
    return _Drawn(svg, used)


def _row(part: Part, x: float, y: float, width: float) -> _Drawn:
    gap, svg, tallest = _pixels(part.get("spacing"), 0), Markup(""), 0.0
    for child, wide in zip(
        part["contents"], _shares(part["contents"], width, gap), strict=True
    ):
        drawn = _part(child, x, y, wide)
        svg += drawn.svg
        tallest = max(tallest, drawn.height)
        x += wide + gap
    return _Drawn(svg, tallest)


def _shares(children: Sequence[Part], width: float, gap: float) -> list[float]:
    fixed = [_own_width(child, width) for child in children]
    left = width - gap * (len(children) - 1) - sum(fixed)
    shares = [
        0 if f else c.get("flex", 1) for c, f in zip(children, fixed, strict=True)
    ]
    whole = sum(shares) or 1
    return [f or left * s / whole for f, s in zip(fixed, shares, strict=True)]


def _own_width(part: Part, width: float) -> float:
    wide = str(part.get("width", ""))
    if wide.endswith("%"):
        return width * float(wide[:-1]) / 100
    return _pixels(wide, 0)


def _text(part: Part, x: float, y: float, width: float) -> _Drawn:
    size = float(_TEXTS[part.get("size", "md")])
    text = str(part["text"])
    lines = [text]
    if part.get("wrap"):
        lines = wrap(text, size, width, int(part.get("maxLines", 0)))
    middle = part.get("align") == "center"
    svg = Markup("").join(
        words(
            x + width / 2 if middle else x,
            y + size * (_BASE + index * _LINE),
            line,
            size,
            part.get("color", "#111111"),
            bold=part.get("weight") == "bold",
            anchor="middle" if middle else "start",
        )
        for index, line in enumerate(lines)
    )
    return _Drawn(svg, len(lines) * size * _LINE)


def _button(part: Part, x: float, y: float, width: float) -> _Drawn:
    label, colour = str(part["action"]["label"]), part.get("color", "#06C755")
    is_filled = part.get("style") == "primary"
    size = 16.0 if text_width(label, 16) < width else 13.0
    text = words(
        x + width / 2,
        y + _BUTTON / 2 + size * 0.36,
        label,
        size,
        "#FFFFFF" if is_filled else colour,
        bold=is_filled,
        anchor="middle",
    )
    ground = box(x, y, width, _BUTTON, colour, radius=8) if is_filled else Markup("")
    return _Drawn(ground + text, _BUTTON)


def _pixels(value: object, otherwise: float) -> float:
    text = str(value if value is not None else "")
    if text in _GAPS:
        return float(_GAPS[text])
    return float(text.removesuffix("px")) if text.endswith("px") else float(otherwise)
