"""A card, and lists that belong to it, as LINE Flex messages. Pure.

A bubble is built as plain dictionaries: the SDK's models cost a hundred times more and
drop keys that they do not know.
https://developers.line.biz/en/reference/messaging-api/#flex-message
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.flex_grid import PAPER, fill_colour, progress_bar, shade, stamp_grid
from bot.limits import ALT_TEXT, URI, cut_label, cut_text
from core.card_words import say_card
from core.rules.colours import TEXT_CONTRAST
from core.rules.face import CardFace
from core.rules.types import Language
from core.wording import say, say_last_day

Part = dict[str, Any]
Tone = Literal["good", "notice"]

_INK = "#1A1A1A"
_QUIET = "#6B6B6B"
_NOTICE_PAPER = "#FFF1C9"
_NOTICE_INK = "#5C3B00"
_ALARM = "#B3261E"
_VOUCHERS_SHOWN = 5
_ONE_LINE = 14


@dataclass(frozen=True, slots=True)
class Headline:
    """What has just happened, above the card. `notice` stands for a refusal.

    `button` is the first below the card.
    """

    text: str
    tone: Tone
    detail: str = ""
    button: Part | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: a quiet word on the left, the thing itself on the right.

    What can be done with it is a button below.
    """

    label: str
    text: str
    is_strong: bool = False
    button: Part | None = None


def card_bubble(
    face: CardFace,
    language: Language,
    *,
    wallet_url: str | None,
    card_url: str | None,
    headline: Headline | None = None,
    is_compact: bool = False,
) -> Part:
    """The card as one bubble, at most 30 KB; a URL of None leaves its button out.

    `is_compact` draws a bar instead of circles.
    """
    body = [
        progress_bar(face) if is_compact else stamp_grid(face),
        *_standing(face, language),
        *_vouchers(face, language),
        {"type": "separator", "margin": "lg"},
        *_facts(face, language),
    ]
    bubble: Part = {
        "type": "bubble",
        "size": "mega",
        "header": _header(face, headline),
        "body": _column(body, spacing="md"),
    }
    buttons = _buttons(face, language, wallet_url, card_url)
    if headline is not None and headline.button is not None:
        buttons.insert(0, headline.button)
    if buttons:
        bubble["footer"] = _column(buttons, spacing="sm")
    return bubble


def list_bubble(
    face: CardFace,
    title: str,
    rows: Sequence[Row],
    *,
    large: str = "",
    note: str = "",
    buttons: Sequence[Part] = (),
) -> Part:
    """A list under the card's colours: above it what is to be read from afar, below it
    a `note` and buttons.
    """
    body: list[Part] = []
    if large:
        part = _text(large, "4xl", _INK, is_bold=True)
        body.append({**part, "align": "center"})
    body += [part for row in rows for part in _row_parts(row)]
    if note:
        body.append({**_text(note, "sm", _QUIET), "margin": "lg"})
    bubble = {
        "type": "bubble",
        "size": "mega",
        "header": _header(face, Headline(title, "good")),
        "body": _column(body, spacing="md"),
    }
    return bubble | (
        {"footer": _column(list(buttons), spacing="sm")} if buttons else {}
    )


def page_button(face: CardFace, label: str, url: str, style: str = "primary") -> Part:
    """A button in the card's colours that opens a page."""
    return {
        "type": "button",
        "style": style,
        "height": "sm",
        "color": shade(face.look.background, PAPER, TEXT_CONTRAST),
        "action": {"type": "uri", "label": cut_label(label), "uri": url},
    }


def flex_message(bubbles: Sequence[Part], alt_text: str) -> Part:
    """One message of one bubble, or of a carousel of up to twelve."""
    contents = bubbles[0]
    if len(bubbles) > 1:
        contents = {"type": "carousel", "contents": list(bubbles)}
    return {
        "type": "flex",
        "altText": cut_text(alt_text, ALT_TEXT),
        "contents": contents,
    }


def card_in_words(face: CardFace, language: Language) -> str:
    """All that the bubble draws, as text: for notifications, and for ears."""
    said = say_card(face, language)
    lines = [face.program_name, _count(face, language)]
    lines += [said.ahead, said.spend, said.state]
    lines += [_voucher(face, index, language) for index in range(len(face.vouchers))]
    if face.expires_at is not None:
        day = say_last_day(face.expires_at, face.timezone, language)
        lines.append(say("card.expires", language, day=day))
    return "\n".join(line for line in lines if line)


def _header(face: CardFace, headline: Headline | None) -> Part:
    paper, ink = face.look.background, face.look.foreground
    if headline is not None and headline.tone == "notice":
        paper, ink = _NOTICE_PAPER, _NOTICE_INK
    ink = shade(ink, paper, TEXT_CONTRAST)
    name = _text(face.program_name, "xl", ink, is_bold=True, lines=2)
    parts = [name, _text(face.merchant_name, "sm", ink, lines=1)]
    if headline is not None:
        small = f"{face.program_name} ・ {face.merchant_name}"
        parts = [_text(headline.text, "lg", ink, is_bold=True)]
        parts += [_text(headline.detail, "sm", ink)] if headline.detail else []
        parts.append({**_text(small, "xs", ink, lines=1), "margin": "md"})
    return {**_column(parts, spacing="xs"), "backgroundColor": paper}


def _standing(face: CardFace, language: Language) -> list[Part]:
    accent = shade(fill_colour(face), PAPER, TEXT_CONTRAST)
    text = _count(face, language)
    # One line on the narrowest phone.
    size = "lg" if len(text) <= _ONE_LINE else "md"
    count = _text(text, size, accent, is_bold=True)
    said = say_card(face, language)
    below = [_text(said.ahead, "md", _INK)] if said.ahead else []
    below += [_text(said.spend, "sm", _QUIET)] if said.spend else []
    below += [_text(said.state, "sm", _ALARM, is_bold=True)] if said.state else []
    below = [{**part, "align": "center"} for part in below]
    return [{**count, "align": "center", "margin": "lg"}, *below]


def _count(face: CardFace, language: Language) -> str:
    if face.is_full:
        return say("card.full", language, goal=face.goal)
    left = face.goal - face.balance
    return say(
        "card.progress", language, goal=face.goal, balance=face.balance, left=left
    )


def _vouchers(face: CardFace, language: Language) -> list[Part]:
    if not face.vouchers:
        return []
    shown = range(min(len(face.vouchers), _VOUCHERS_SHOWN))
    lines = [say("card.vouchers", language, n=len(face.vouchers))]
    lines += [_voucher(face, index, language) for index in shown]
    title, *rest = lines
    inside = [_text(title, "sm", _NOTICE_INK, is_bold=True)]
    inside += [_text(line, "sm", _NOTICE_INK) for line in rest]
    return [
        {
            **_column(inside, spacing="xs"),
            "margin": "lg",
            "paddingAll": "12px",
            "cornerRadius": "8px",
            "backgroundColor": _NOTICE_PAPER,
        }
    ]


def _voucher(face: CardFace, index: int, language: Language) -> str:
    voucher = face.vouchers[index]
    line = say("card.voucher", language, name=voucher.name, number=voucher.number)
    if voucher.expires_at is None:
        return line
    day = say_last_day(voucher.expires_at, face.timezone, language)
    return f"{line} ({say('card.voucher_until', language, day=day)})"


def _facts(face: CardFace, language: Language) -> list[Part]:
    until = say("card.expires_none", language)
    if face.expires_at is not None:
        until = say_last_day(face.expires_at, face.timezone, language)
    return [
        _row(Row(say("card.valid_until", language), until)),
        _row(Row(say("bot.member_no", language), face.member_no)),
    ]


def _row_parts(row: Row) -> list[Part]:
    return [_row(row), row.button] if row.button else [_row(row)]


def _row(row: Row) -> Part:
    label = {**_text(row.label, "sm", _QUIET), "flex": 4}
    value = {**_text(row.text, "sm", _INK), "flex": 7}
    if row.is_strong:
        value["weight"] = "bold"
    parts = [label, value] if row.label else [value]
    return {"type": "box", "layout": "horizontal", "spacing": "sm", "contents": parts}


def _buttons(
    face: CardFace, language: Language, wallet_url: str | None, card_url: str | None
) -> list[Part]:
    wanted = (
        (wallet_url, "bot.button.wallet", "primary"),
        (card_url, "bot.button.card", "link"),
    )
    return [
        page_button(face, say(label, language), url, style)
        for url, label, style in wanted
        if url and len(url) <= URI
    ]


def _column(parts: list[Part], *, spacing: str) -> Part:
    return {
        "type": "box",
        "layout": "vertical",
        "spacing": spacing,
        "contents": parts,
    }


def _text(
    text: str, size: str, colour: str, *, is_bold: bool = False, lines: int = 0
) -> Part:
    # LINE refuses a whole message over one empty text.
    part: Part = {
        "type": "text",
        "text": text.strip() or "-",
        "size": size,
        "color": colour,
        "wrap": True,
    }
    if is_bold:
        part["weight"] = "bold"
    if lines:
        part["maxLines"] = lines
    return part
