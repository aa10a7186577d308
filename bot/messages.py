"""What all messages are made of: texts, carousels, buttons. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.flex import Part, flex_message
from bot.limits import (
    ACTION_TEXT,
    CAROUSEL_BYTES,
    cut_label,
    cut_text,
    sent_bytes,
)
from core.links import Links
from core.rules.types import Language, Merchant
from core.wording import say

Message = dict[str, Any]

_QUICK = ("card", "vouchers", "history", "member", "help")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom a reply is written. `has_wallet`: can the merchant's cards be added?"""

    merchant: Merchant
    language: Language
    links: Links
    has_wallet: bool


def text_message(text: str) -> Message:
    """Plain words."""
    return {"type": "text", "text": cut_text(text)}


def postback(label: str, data: str, spoken: str) -> Part:
    """A tap that says `spoken` in the chat, and tells us `data`."""
    return {
        "type": "postback",
        "label": cut_label(label),
        "data": data,
        "displayText": cut_label(spoken, ACTION_TEXT),
    }


def button(action: Part, style: str = "link") -> Part:
    """A button of a bubble."""
    return {"type": "button", "style": style, "height": "sm", "action": action}


def fits(bubbles: Sequence[Part]) -> bool:
    """May these bubbles go out as one carousel?"""
    around = 40
    return sent_bytes(bubbles) + around <= CAROUSEL_BYTES


def with_rest(
    bubbles: list[Part], words: str, n_cards: int, reader: Reader
) -> list[Message]:
    """The message, and another one when it cannot hold every card."""
    while len(bubbles) > 1 and not fits(bubbles):
        bubbles.pop()
    messages = [flex_message(bubbles, words)]
    if n_cards > len(bubbles):
        more = say("bot.more_cards", reader.language, n=n_cards - len(bubbles))
        messages.append(text_message(more))
    return with_quick(messages, reader)


def with_quick(
    messages: list[Message], reader: Reader, first: Sequence[Part] = ()
) -> list[Message]:
    """The same with buttons above the keyboard: `first` these actions, then the usual.

    On phones only; PC LINE has the words themselves.
    """
    usual = [
        {
            "type": "message",
            "label": cut_label(say(f"bot.quick.{topic}", reader.language), 20),
            "text": say(f"bot.quick.{topic}", reader.language),
        }
        for topic in _QUICK
    ]
    items = [{"type": "action", "action": each} for each in [*first, *usual]]
    return [*messages[:-1], messages[-1] | {"quickReply": {"items": items}}]


def plain_message(
    title: str, lines: Sequence[str], buttons: Sequence[Part], reader: Reader
) -> list[Message]:
    """Words with buttons below them, and the same words for ears."""
    words = "\n".join([title, *lines])
    bubble = plain_bubble(title, lines, buttons)
    return with_quick([flex_message([bubble], words)], reader)


def plain_bubble(title: str, lines: Sequence[str], buttons: Sequence[Part]) -> Part:
    """A bubble of plain words in no card's colours, with buttons below them."""
    shown = [_words(title, "lg", is_bold=True), *(_words(each, "sm") for each in lines)]
    bubble: Part = {
        "type": "bubble",
        "size": "mega",
        "body": _column(shown, spacing="md"),
    }
    return bubble | ({"footer": _column(list(buttons), "sm")} if buttons else {})


def _words(text: str, size: str, *, is_bold: bool = False) -> Part:
    # LINE refuses a whole message over one empty text.
    part = {"type": "text", "text": text.strip() or "-", "size": size, "wrap": True}
    return part | {"color": "#1A1A1A"} | ({"weight": "bold"} if is_bold else {})


def _column(parts: list[Part], spacing: str) -> Part:
    return {"type": "box", "layout": "vertical", "spacing": spacing, "contents": parts}
