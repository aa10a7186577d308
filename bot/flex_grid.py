"""The stamps of a card as rows of circles in a Flex message. Pure.

https://developers.line.biz/en/docs/messaging-api/flex-message-layout/
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.rules.colours import SHAPE_CONTRAST, TEXT_CONTRAST, legible, readable_on
from core.rules.face import CardFace

PAPER = "#FFFFFF"
_EMPTY = "#EDEDEA"
_NUMBER = "#666666"
_BAR = "#D5D5D0"
_IN_A_ROW = 5

# The shops' built-in icons as characters that every phone has.
_SYMBOLS = {
    "star": "★",
    "coffee": "☕",
    "heart": "♥",
    "paw": "🐾",
    "leaf": "🍃",
    "scissors": "✂",
    "bread": "🍞",
    "bowl": "🍜",
    "flower": "✿",
    "ticket": "🎫",
    "cake": "🍰",
    "gift": "🎁",
}


@dataclass(frozen=True, slots=True)
class _Size:
    """A circle's diameter and gap in pixels, LINE's text sizes inside, its goal."""

    circle: int
    gap: int
    symbol: str
    number: str
    goal: str


def stamp_grid(face: CardFace) -> dict[str, Any]:
    """All `face.goal` places of the card in rows of five, the stamped ones filled."""
    size, columns = _size(face.goal), min(_IN_A_ROW, face.goal)
    cells = [_cell(face, place, size) for place in range(1, face.goal + 1)]
    width = columns * size.circle + (columns - 1) * size.gap
    rows = [
        {
            "type": "box",
            "layout": "horizontal",
            "width": f"{width}px",
            "spacing": f"{size.gap}px",
            "contents": cells[first : first + columns],
        }
        for first in range(0, face.goal, columns)
    ]
    return {
        "type": "box",
        "layout": "vertical",
        "alignItems": "center",
        "spacing": f"{size.gap}px",
        "contents": rows,
    }


def progress_bar(face: CardFace) -> dict[str, Any]:
    """The same in one line, for cards that share a carousel's 50 KB."""
    share = round(100 * min(face.balance, face.goal) / face.goal)
    filled = {
        "type": "box",
        "layout": "vertical",
        "width": f"{share}%",
        "height": "14px",
        "cornerRadius": "7px",
        "backgroundColor": fill_colour(face),
        "contents": [],
    }
    return {
        "type": "box",
        "layout": "vertical",
        "height": "14px",
        "cornerRadius": "7px",
        "backgroundColor": _BAR,
        "contents": [filled] if share else [],
    }


def fill_colour(face: CardFace) -> str:
    """The merchant's background, as far darkened as to stand out from paper."""
    return shade(face.look.background, PAPER, SHAPE_CONTRAST)


@lru_cache(maxsize=4096)
def shade(wanted: str, background: str, least: float) -> str:
    """`legible`, remembered: a card asks for the same few shades at each stamp."""
    return legible(wanted, background, least)


def _size(goal: int) -> _Size:
    if goal <= 10:  # noqa: PLR2004 -- two rows of thumb-sized circles
        return _Size(44, 8, "xl", "sm", "GOAL")
    if goal <= 20:  # noqa: PLR2004 -- four rows
        return _Size(38, 8, "lg", "xs", "GOAL")
    if goal <= 30:  # noqa: PLR2004 -- six rows
        return _Size(32, 6, "md", "xxs", "G")
    return _Size(26, 5, "sm", "xxs", "G")


def _cell(face: CardFace, place: int, size: _Size) -> dict[str, Any]:
    fill = fill_colour(face)
    is_goal = place == face.goal
    is_prize = is_goal or any(reward.at == place for reward in face.rewards)
    is_stamped = place <= face.balance
    if is_stamped:
        colour = shade(face.look.foreground, fill, SHAPE_CONTRAST)
        inside = _text(_SYMBOLS.get(face.look.icon, "★"), size.symbol, colour)
    elif is_goal:
        colour = shade(fill, _EMPTY, TEXT_CONTRAST)
        inside = _text(size.goal, "xxs", colour) | {"weight": "bold"}
    else:
        inside = _text("🎁" if is_prize else str(place), size.number, _NUMBER)
    circle: dict[str, Any] = {
        "type": "box",
        "layout": "vertical",
        "flex": 0,
        "width": f"{size.circle}px",
        "height": f"{size.circle}px",
        "cornerRadius": "100px",
        "backgroundColor": fill if is_stamped else _EMPTY,
        "justifyContent": "center",
        "alignItems": "center",
        "contents": [inside],
    }
    if is_prize:
        # A stamped prize keeps a ring that shows on its filling.
        ring = readable_on(fill) if is_stamped else fill
        circle |= {"borderWidth": "2px", "borderColor": ring}
    return circle


def _text(text: str, size: str, colour: str) -> dict[str, Any]:
    # Centred twice, by the box and here: not every version of LINE shrinks a text to
    # its letters before the box centres it.
    return {
        "type": "text",
        "text": text,
        "size": size,
        "color": colour,
        "align": "center",
        "flex": 0,
    }
