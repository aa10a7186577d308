"""A card as Apple's pass.json, storeCard and poster, and its translations. Pure.

https://developer.apple.com/documentation/walletpasses/pass and, from iOS 27 on,
https://developer.apple.com/documentation/walletpasses/creating-a-poster-generic-pass
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from core.card_lines import (
    last_stamp_line,
    rewards_lines,
    shops_lines,
    vouchers_lines,
)
from core.card_words import say_card
from core.news_words import say_last_news
from core.rules.colours import legible, rgb
from core.rules.face import CardFace
from core.rules.types import Language
from core.wording import LANGUAGES, say, say_last_day

_MAX_LOCATIONS = 10
_SERVICE = "Smart Stamp Card"
_OVER = {"stopped", "expired"}

# What nobody sees: a file of translations that has it may not be read at all.
_UNSEEN = {n: None for n in (*range(32), 127) if chr(n) not in "\n\t"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContent:
    """`info` is pass.json; `strings` are its texts by language where they differ."""

    info: Json
    strings: Mapping[str, Mapping[str, str]]


def draw_pass(
    face: CardFace,
    *,
    serial: str,
    auth_token: str,
    pass_type_id: str,
    team_id: str,
    public_url: str,
    card_url: str,
    page_url: str = "",
) -> PassContent:
    """The pass of a card; nobody's name is on it.

    `card_url` goes into the barcode, `page_url` (its holder's page) on the back; the
    web service lies under `public_url`/apple.
    """
    words = _Words(face)
    paper, ink = _colours(face.look.background, face.look.foreground)
    info: Json = {
        "formatVersion": 1,
        "passTypeIdentifier": pass_type_id,
        "teamIdentifier": team_id,
        "serialNumber": serial,
        "organizationName": words.plain(face.merchant_name),
        "description": words.plain(f"{face.merchant_name} {face.program_name}"),
        "logoText": words.plain(face.merchant_name),
        "backgroundColor": paper,
        "foregroundColor": ink,
        "labelColor": ink,
        "webServiceURL": f"{public_url}/apple",
        "authenticationToken": auth_token,
        "sharingProhibited": True,
        "barcodes": [_qr(card_url, face.member_no)],
        "storeCard": {
            "headerFields": [_count(words, face)],
            # No primary field: it would be drawn over the stamps in the strip.
            "secondaryFields": [_next(words, face)],
            "auxiliaryFields": _auxiliary(words, face),
            "backFields": _back(words, face, public_url, page_url or card_url),
        },
    }
    info["posterGeneric"] = _poster(info["storeCard"], info["description"])
    info |= _when_and_where(words, face) | _actions(face, page_url)
    return PassContent(info=info, strings=words.strings)


def _poster(card: Json, title: str) -> Json:
    """The same fields for iOS 27, which draws them over artwork.png.

    Older phones leave this style out and show the storeCard beside it, so that nothing
    of it may stand at the pass's top level, where they would meet it. A field keeps its
    key in both, as in passkit-generator 3.6.1: whichever way a phone looks for what has
    changed, it finds one field.
    """
    return {
        "headerFields": card["headerFields"],
        "primaryFields": [*card["secondaryFields"], *card["auxiliaryFields"]],
        # It has no logoText. Of several footers the first alone is shown (WWDC26, 209).
        "footerFields": [{"key": "title", "value": title}],
        "backFields": card["backFields"],
    }


def _actions(face: CardFace, page_url: str) -> Json:
    """A button below the pass, from iOS 27 on; phones write its words themselves.

    Older ones know no such key, as in the sample of WWDC26, session 209.
    """
    if not page_url or face.state in _OVER:
        return {}
    action = {"identifier": "page", "type": "viewOffersRewards", "url": page_url}
    return {"featuredActions": [action]}


def _qr(message: str, alt_text: str) -> Json:
    return {
        "format": "PKBarcodeFormatQR",
        "message": message,
        "messageEncoding": "iso-8859-1",
        "altText": alt_text,
    }


def _count(words: _Words, face: CardFace) -> Json:
    # Beside fresh news the only field with a changeMessage: of several that change at
    # once, the lock screen would say no more than "Store card changed".
    ready = len(face.vouchers)
    if ready:
        message = words.say("apple.changed_ready", n=ready)
    else:
        message = words.label("card.changed")
    count = say("card.count", "ja", balance=face.balance, goal=face.goal)
    if face.is_replaced:
        # What the lock screen says is that it was replaced, not that stamps are gone.
        return _field("stamps", words.label("card.stamps"), "–")
    field = _field("stamps", words.label("card.stamps"), count)
    return field if _is_of_news(face) else field | {"changeMessage": message}


def _next(words: _Words, face: CardFace) -> Json:
    text = words.put(lambda language: say_card(face, language).first)
    field = _field("next", words.label("card.next_reward"), text)
    return field | {"changeMessage": "%@"} if face.is_replaced else field


def _auxiliary(words: _Words, face: CardFace) -> list[Json]:
    fields = []
    if face.vouchers:
        ready = words.say("apple.ready", n=len(face.vouchers))
        fields.append(_field("ready", words.label("card.rewards"), ready))
    if face.to_spend is not None:
        left = words.put(lambda language: say_card(face, language).spend_short)
        fields.append(_field("spend", words.label("card.next_stamp"), left))
    if face.expires_at is not None:
        label = words.label("card.valid_until")
        ends_at, zone = face.expires_at, face.timezone
        day = words.put(lambda language: say_last_day(ends_at, zone, language))
        fields.append(_field("until", label, day))
    return fields


def _back(words: _Words, face: CardFace, public_url: str, page_url: str) -> list[Json]:
    # The pass's own contact and the service's: Apple wants both on the back.
    contact = "\n".join(filter(None, (face.merchant_name, face.contact)))
    rows = (
        ("standing", "apple.standing", words.put(lambda t: _standing(face, t))),
        ("vouchers", "card.rewards", words.put(lambda t: vouchers_lines(face, t))),
        ("program", "apple.program", words.plain(face.program_name)),
        ("guide", "card.guide", words.plain(face.guide.strip())),
        ("rewards", "card.rewards", words.put(lambda t: rewards_lines(face, t))),
        ("member", "apple.member", words.plain(face.member_no)),
        ("last", "pass.last_stamp", words.put(lambda t: last_stamp_line(face, t))),
        ("shops", "card.shops", words.plain(shops_lines(face))),
        ("page", "pass.page", page_url),
        ("contact", "card.contact", words.plain(contact)),
        ("service", "apple.service", f"{_SERVICE}\n{public_url}"),
    )
    found = [
        _field(key, words.label(label), value) for key, label, value in rows if value
    ]
    return [_news(words, face), *found]


def _news(words: _Words, face: CardFace) -> Json:
    # Always there: a lock screen tells of a field that changes, not of one that comes.
    # It keeps what it said, so that with a stamp the count alone changes.
    last, zone = face.news, face.timezone
    title = words.label("notices.pass.title")
    if last is None:
        return _field("news", title, words.label("notices.pass.none"))
    said = words.put(lambda language: say_last_news(last, zone, language))
    field = _field("news", title, said)
    return field | {"changeMessage": "%@"} if _is_of_news(face) else field


def _is_of_news(face: CardFace) -> bool:
    """Is it the news that this state of the pass is about?"""
    return face.news is not None and face.news.is_new


def _when_and_where(words: _Words, face: CardFace) -> Json:
    found: Json = {}
    if face.expires_at is not None:
        end = face.expires_at.astimezone(ZoneInfo(face.timezone))
        found["expirationDate"] = end.isoformat(timespec="seconds")
    if face.state in _OVER:
        return found | {"voided": True}
    near = [
        {
            "latitude": shop.latitude,
            "longitude": shop.longitude,
            "relevantText": words.say(
                "apple.nearby", shop=shop.name, balance=face.balance, goal=face.goal
            ),
        }
        for shop in face.shops
        if shop.latitude is not None and shop.longitude is not None
    ]
    return found | ({"locations": near[:_MAX_LOCATIONS]} if near else {})


def _standing(face: CardFace, language: Language) -> str:
    """What is too long for the front of the pass."""
    if face.state == "active" and not face.is_full and not face.ranked_up:
        return ""
    return say_card(face, language).first


def _field(key: str, label: str, value: str) -> Json:
    return {"key": key, "label": label, "value": value}


@lru_cache(maxsize=256)
def _colours(background: str, foreground: str) -> tuple[str, str]:
    ink = legible(foreground, background)
    paper, text = ("rgb({}, {}, {})".format(*rgb(c)) for c in (background, ink))
    return paper, text


class _Words:
    """Collects the texts of one pass.

    What stands in pass.json is the text in the merchant's first language, and that is
    also its key in pass.strings: a reader without translations still shows words.
    """

    def __init__(self, face: CardFace) -> None:
        offered = face.languages or LANGUAGES
        # What a phone in Japanese and one in English are told, if the shop speaks it.
        self._heard = [t if t in offered else offered[0] for t in LANGUAGES]
        self._first = LANGUAGES.index(offered[0])
        self._table: dict[str, tuple[str, ...]] = {}

    @property
    def strings(self) -> dict[str, dict[str, str]]:
        """Both languages, always: with neither, a phone would pick one by chance."""
        found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
        for key, spoken in self._table.items():
            if spoken != (key, key):
                for language, text in zip(LANGUAGES, spoken, strict=True):
                    found[language][key] = text
        return found

    def label(self, sentence: str) -> str:
        """The key of a sentence of ours that never differs."""
        return self._keep(tuple(_label(sentence, t) for t in self._heard))

    def say(self, sentence: str, **values: object) -> str:
        """The key of a sentence of ours with its blanks filled."""
        return self.put(lambda language: say(sentence, language, **values))

    def plain(self, text: str) -> str:
        """The key of what the merchant wrote: the same in every language."""
        return self._keep((text, text))

    def put(self, text: Callable[[Language], str]) -> str:
        """The key of a text that differs by language; "" for none."""
        return self._keep(tuple(text(language) for language in self._heard))

    def _keep(self, heard: tuple[str, ...]) -> str:
        spoken = tuple(text.translate(_UNSEEN) for text in heard)
        key = spoken[self._first]
        # A reward called 特典 must not become "Rewards" because a label does.
        while key and self._table.setdefault(key, spoken) != spoken:
            key += "\u200b"
        return key


@cache
def _label(sentence: str, language: Language) -> str:
    return say(sentence, language)
