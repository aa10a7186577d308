"""A card as Google's LoyaltyClass (one a program) and LoyaltyObject (one a pass). Pure.

Fields and limits: https://developers.google.com/wallet/reference/rest/v1/loyaltyclass
and /loyaltyobject. Lists and translations are always sent whole: a PATCH merges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from core.card_lines import (
    last_stamp_line,
    rewards_lines,
    shops_lines,
    vouchers_lines,
)
from core.card_words import say_card, say_stopped
from core.news_words import say_last_news
from core.rules.face import CardFace, FaceState
from core.rules.types import (
    HeldPass,
    Language,
    PassId,
    ProgramId,
)
from core.wording import say
from passes.google.barcode import CODE_FIELDS, Rotation, code_fields
from passes.google.cut import cut
from passes.google.template import NEXT, ROW, template

# What a PATCH after a stamp sends. Code and number seldom change; they are among it
# because a card that was stopped, and so emptied, may come back.
VOLATILE = (
    "state",
    "accountId",
    *CODE_FIELDS,
    "loyaltyPoints",
    "secondaryLoyaltyPoints",
    "heroImage",
    "textModulesData",
    "linksModuleData",
    "validTimeInterval",
)
_NAME, _LABEL, _ACCOUNT_LABEL, _HEADER, _BODY, _LINK = 20, 9, 15, 35, 500, 20
_MAX_LOCATIONS = 10
# More circles than this would be cut off above the barcode.
_MAX_CIRCLES = 20
_STATES: dict[FaceState, str] = {
    "active": "ACTIVE",
    "paused": "ACTIVE",
    "stopped": "INACTIVE",
    "expired": "EXPIRED",
}

Json = dict[str, Any]
Words = Callable[[Language], str]


def class_id(issuer_id: str, program_id: ProgramId) -> str:
    """The id of a program's class, the same for life."""
    return f"{issuer_id}.p.{program_id}"


def object_id(issuer_id: str, pass_id: PassId) -> str:
    """The id of a pass's object, the same for life; it tells nothing of the person."""
    return f"{issuer_id}.c.{pass_id}"


def pass_of(issuer_id: str, an_object_id: str) -> PassId | None:
    """The pass that an object id names, or None when it cannot be one of ours."""
    prefix = f"{issuer_id}.c."
    if not an_object_id.startswith(prefix):
        return None
    return PassId(an_object_id.removeprefix(prefix))


def loyalty_class(
    face: CardFace, *, issuer_id: str, callback_url: str, logo_url: str, hero_url: str
) -> Json:
    """The class of the face's program; reads nothing that differs between its cards.

    `logo_url` is a square picture, `hero_url` that of a card without stamps.
    """
    return {
        "id": class_id(issuer_id, face.program_id),
        # On every write: Google turns it into APPROVED and refuses that one from us.
        "reviewStatus": "UNDER_REVIEW",
        "issuerName": cut(face.merchant_name, _NAME),
        "programName": cut(face.program_name, _NAME),
        "programLogo": _image(logo_url, _localised(face, lambda _: face.program_name)),
        "heroImage": _image(hero_url, _localised(face, lambda _: face.program_name)),
        "hexBackgroundColor": face.look.background.lower(),
        "countryCode": "JP",
        "accountIdLabel": _plain(face, _sentence("google.account"), _ACCOUNT_LABEL),
        "localizedAccountIdLabel": _localised(
            face, _sentence("google.account"), _ACCOUNT_LABEL
        ),
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES",
        "callbackOptions": {"url": callback_url},
        "classTemplateInfo": template(),
        # Empty, for classes that had some: every text differs between versions.
        "textModulesData": [],
        "linksModuleData": {"uris": _contact(face)},
        "merchantLocations": [
            {"latitude": shop.latitude, "longitude": shop.longitude}
            for shop in face.shops
            if shop.latitude is not None and shop.longitude is not None
        ][:_MAX_LOCATIONS],
    }


def loyalty_object(
    face: CardFace,
    held: HeldPass,
    *,
    issuer_id: str,
    card_url: str,
    hero_url: str,
    page_url: str = "",
    rotation: Rotation | None = None,
) -> Json:
    """The whole object of a pass: no name and no LINE id leaves the house with it.

    `card_url` goes into a barcode that stays, `rotation` into one that changes (it
    must be there for a card that has one); `hero_url` is the picture of this many
    stamps, `page_url` the holder's page.
    """
    page = page_url or card_url
    picture = _sentence("card.picture", balance=face.balance, goal=face.goal)
    count = say("card.count", "ja", balance=face.balance, goal=face.goal)
    thing: Json = {
        "id": object_id(issuer_id, held.id),
        "classId": class_id(issuer_id, face.program_id),
        "state": _STATES[face.state],
        "accountId": cut(face.member_no, _NAME),
        **code_fields(face, card_url, rotation),
        # The kind of each balance is fixed for ever: a PATCH from "string" to "int"
        # would leave both, and Google takes one only.
        "loyaltyPoints": _points(face, "google.stamps", {"string": count}),
        "secondaryLoyaltyPoints": _points(
            face, "google.rewards", {"int": len(face.vouchers)}
        ),
        "heroImage": _image(hero_url, _localised(face, picture)),
        "textModulesData": _texts(face),
        "linksModuleData": {"uris": [_link("page", face, page, "pass.page")]},
    }
    if face.expires_at is not None:
        end = face.expires_at.astimezone(ZoneInfo(face.timezone))
        date = end.isoformat(timespec="seconds")
        thing["validTimeInterval"] = {"end": {"date": date}}
    return thing


def volatile(thing: Json) -> Json:
    """What a stamp may have changed of an object, as a PATCH of absolute values.

    None (JSON null) deletes what the object no longer has.
    """
    return {name: thing.get(name) for name in VOLATILE}


def bare(face: CardFace, held: HeldPass, *, issuer_id: str) -> Json:
    """What a PUT leaves of an object: Google deletes none, but forgets its content.

    All that stays are the ids and the words that the card has been stopped.
    """
    return {
        "id": object_id(issuer_id, held.id),
        "classId": class_id(issuer_id, face.program_id),
        "state": "INACTIVE",
        "textModulesData": [
            _text(
                NEXT,
                face,
                _sentence("card.next_reward"),
                lambda tongue: say_stopped(face, tongue),
            )
        ],
    }


def _contact(face: CardFace) -> list[Json]:
    contact = face.contact.strip()
    if contact.startswith(("https://", "http://", "mailto:", "tel:")):
        uri = contact
    elif "@" in contact and " " not in contact:
        uri = f"mailto:{contact}"
    elif contact and all(letter in "+-() 0123456789" for letter in contact):
        uri = "tel:" + "".join(letter for letter in contact if letter in "+0123456789")
    else:
        return []
    return [_link("contact", face, uri, "card.contact")]


def _link(name: str, face: CardFace, uri: str, title: str) -> Json:
    words = _sentence(title)
    return {
        "id": name,
        "uri": uri,
        "description": _plain(face, words, _LINK),
        "localizedDescription": _localised(face, words, _LINK),
    }


def _texts(face: CardFace) -> list[Json]:
    row = _circles(face)
    texts = [
        _text(ROW, face, _sentence("card.stamps"), lambda _: row),
        _text(
            NEXT,
            face,
            _sentence("card.next_reward"),
            lambda tongue: say_card(face, tongue).first,
        ),
    ]
    if face.to_spend is not None:
        title = _sentence("card.next_stamp")
        left = _text("spend", face, title, lambda t: say_card(face, t).spend_short)
        texts.append(left)
    texts += _back(face)
    if (last := face.news) is not None:
        title, zone = _sentence("notices.pass.title"), face.timezone
        texts.append(_text("news", face, title, lambda t: say_last_news(last, zone, t)))
    return texts


def _back(face: CardFace) -> list[Json]:
    """What is read on the details page only, as on the back of Apple's pass."""
    rows: tuple[tuple[str, str, Words], ...] = (
        ("vouchers", "card.rewards", lambda t: vouchers_lines(face, t)),
        ("guide", "card.guide", lambda _: face.guide.strip()),
        ("rewards", "card.rewards", lambda t: rewards_lines(face, t)),
        ("last", "pass.last_stamp", lambda t: last_stamp_line(face, t)),
        ("shops", "card.shops", lambda _: shops_lines(face)),
    )
    return [
        _text(name, face, _sentence(title), words)
        for name, title, words in rows
        if words("ja")
    ]


def _circles(face: CardFace) -> str:
    if face.goal > _MAX_CIRCLES:
        return say("card.count", "ja", balance=face.balance, goal=face.goal)
    filled = min(face.balance, face.goal)
    row = "●" * filled + "○" * (face.goal - filled)
    return " ".join(row[at : at + 5] for at in range(0, len(row), 5))


def _points(face: CardFace, label: str, balance: Json) -> Json:
    words = _sentence(label)
    return {
        "label": _plain(face, words, _LABEL),
        "localizedLabel": _localised(face, words, _LABEL),
        "balance": balance,
    }


def _text(name: str, face: CardFace, header: Words, body: Words) -> Json:
    return {
        "id": name,
        "header": _plain(face, header, _HEADER),
        "localizedHeader": _localised(face, header, _HEADER),
        "body": _plain(face, body, _BODY),
        "localizedBody": _localised(face, body, _BODY),
    }


def _image(url: str, description: Json) -> Json:
    return {"sourceUri": {"uri": url}, "contentDescription": description}


def _sentence(key: str, **values: object) -> Words:
    return lambda language: say(key, language, **values)


def _plain(face: CardFace, words: Words, limit: int) -> str:
    return cut(words(_languages(face)[0]), limit)


def _localised(face: CardFace, words: Words, limit: int = _BODY) -> Json:
    said = [
        {"language": language, "value": cut(words(language), limit)}
        for language in _languages(face)
    ]
    return {"defaultValue": said[0], "translatedValues": said[1:]}


def _languages(face: CardFace) -> tuple[Language, ...]:
    return face.languages or ("ja",)
