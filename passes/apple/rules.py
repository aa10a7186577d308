"""What a phone asks of a pass: checked before we sign, since Wallet says only "no".

https://developer.apple.com/documentation/walletpasses/pass; the list follows
https://github.com/tomasmcguinness/pkpassvalidator, that of the poster Apple's
https://developer.apple.com/documentation/walletpasses/creating-a-poster-generic-pass
and https://developer.apple.com/design/human-interface-guidelines/wallet.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

REQUIRED = (
    "passTypeIdentifier",
    "teamIdentifier",
    "serialNumber",
    "organizationName",
    "description",
)
GROUPS = (
    "headerFields",
    "primaryFields",
    "secondaryFields",
    "auxiliaryFields",
    "backFields",
)
# From iOS 27 on. Further footers are taken and not drawn.
POSTER_GROUPS = {"headerFields": 1, "primaryFields": 4, "footerFields": 2}
_POSTER_GROUPS = {*POSTER_GROUPS, "backFields", "additionalInfoFields"}
# Points: the least and the most width, and the height.
_POSTER_PICTURES = {"artwork": (358, 358, 448), "primaryLogo": (30, 126, 30)}
# passkit-generator 3.6.1; "place" is left out, which wants another key than a URL.
_ACTIONS = {
    *("viewSchedule", "watchTrailer", "listenToMusic", "call", "addToBalance", "order"),
    *("shop", "membershipBenefits", "bookAppointment", "bookCar", "bookFlight"),
    *("bookStay", "viewOffersRewards"),
}
_MOST_ACTIONS = 2
_SHORTEST_SECRET = 16
_MOST_HEADER, _MOST_ROW, _MOST_LOCATIONS = 3, 4, 10
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = re.compile(r"rgb\(\d{1,3}, ?\d{1,3}, ?\d{1,3}\)")
_FILE = re.compile(r"([a-z]{2}\.lproj/)?([A-Za-z]+)(?:@([23])x)?\.png")
_SIZE = struct.Struct(">II")  # in a PNG's first chunk
_SIZE_AT = 16
_LANGUAGE = re.compile(r"[a-z]{2}")

Json = Mapping[str, Any]


def check_pass(
    info: Json, pictures: Mapping[str, bytes], strings: Mapping[str, Any]
) -> None:
    """Raise ValueError with every rule of Apple's that a pass breaks."""
    problems = [
        *_keys(info),
        *_web_service(info),
        *_store_card(info.get("storeCard", {})),
        *_poster(info, pictures),
        *_barcodes(info.get("barcodes", [])),
        *_actions(info.get("featuredActions", [])),
        *_places_and_times(info),
        *_files(pictures, strings),
    ]
    if problems:
        raise ValueError("; ".join(problems))


def _keys(info: Json) -> Iterator[str]:
    if info.get("formatVersion") != 1:
        yield "formatVersion is not 1"
    yield from (f"{key} is missing" for key in REQUIRED if not info.get(key))
    if "storeCard" not in info:
        yield "storeCard is missing"
    if len(info.get("serialNumber", "")) < _SHORTEST_SECRET:
        yield "serialNumber is too short"
    for key in ("backgroundColor", "foregroundColor", "labelColor"):
        if key in info and not _COLOUR.fullmatch(info[key]):
            yield f"{key} is no rgb() colour"


def _web_service(info: Json) -> Iterator[str]:
    if ("webServiceURL" in info) != ("authenticationToken" in info):
        yield "webServiceURL and authenticationToken need each other"
    if "authenticationToken" in info and (
        len(info["authenticationToken"]) < _SHORTEST_SECRET
    ):
        yield "authenticationToken is too short"
    url = urlsplit(info.get("webServiceURL", "https://localhost"))
    # Phones take http only in Apple's developer mode; the demo runs on it.
    if url.scheme not in {"https", "http"} or not url.netloc:
        yield "webServiceURL is no address"


def _store_card(card: Json) -> Iterator[str]:
    yield from _fields(_all_fields(card))
    if len(card.get("headerFields", [])) > _MOST_HEADER:
        yield "too many header fields"
    row = [*card.get("secondaryFields", []), *card.get("auxiliaryFields", [])]
    if len(row) > _MOST_ROW:
        yield "too many secondary and auxiliary fields"


def _poster(info: Json, pictures: Mapping[str, bytes]) -> Iterator[str]:
    """The second style, which new phones draw instead of the first."""
    if "posterGeneric" not in info:
        return
    poster: Json = info["posterGeneric"]
    for group in set(poster) - _POSTER_GROUPS:
        yield f"a poster has no {group}"
    for group, most in POSTER_GROUPS.items():
        if len(poster.get(group, [])) > most:
            yield f"too many {group} on the poster"
    every = [field for fields in poster.values() for field in fields]
    yield from (f"{problem} (poster)" for problem in _fields(every))
    if _messages(every) != _messages(_all_fields(info.get("storeCard", {}))):
        yield "storeCard and poster tell of different changes"
    # It is the whole face: without it the stamps would be on older phones only.
    for name in ("artwork@2x.png", "artwork@3x.png"):
        if name not in pictures:
            yield f"{name} is missing"


def _all_fields(style: Json) -> list[Json]:
    return [field for group in GROUPS for field in style.get(group, [])]


def _messages(fields: list[Json]) -> dict[str, str]:
    """What a lock screen would say, by the field whose change it tells.

    At most one for each style, as a phone shows one style and a second message makes it
    say "Store card changed"; and the same in both, so that an update tells the same
    whichever of them a phone compares.
    """
    return {f["key"]: f["changeMessage"] for f in fields if "changeMessage" in f}


def _fields(every: list[Json]) -> Iterator[str]:
    """The rules of the fields of one style.

    Two styles may use the same keys, as passkit-generator 3.6.1 has it, too.
    """
    keys = [field.get("key") for field in every]
    if len(set(keys)) != len(keys) or not all(keys):
        yield "a field's key is missing or there twice"
    if any("value" not in field for field in every):
        yield "a field has no value"
    messages = [f["changeMessage"] for f in every if "changeMessage" in f]
    if any("%@" not in message for message in messages):
        yield "a changeMessage lacks %@"
    if len(messages) > 1:
        yield "more than one field has a changeMessage"


def _barcodes(barcodes: list[Json]) -> Iterator[str]:
    for barcode in barcodes:
        if not barcode.get("message", "").isascii() or not barcode.get("message"):
            yield "a barcode's message is empty or not ASCII"
        if barcode.get("messageEncoding") != "iso-8859-1":
            yield "a barcode's messageEncoding is not iso-8859-1"


def _actions(actions: list[Json]) -> Iterator[str]:
    if len(actions) > _MOST_ACTIONS:
        yield "more than two featured actions"
    if any(action.get("type") not in _ACTIONS for action in actions):
        yield "a featured action's type is unknown"
    names = [action.get("identifier") for action in actions]
    if len(set(names)) != len(names) or not all(names):
        yield "a featured action's identifier is missing or there twice"
    if any(not urlsplit(action.get("url", "")).netloc for action in actions):
        yield "a featured action's url is no address"


def _places_and_times(info: Json) -> Iterator[str]:
    if len(info.get("locations", [])) > _MOST_LOCATIONS:
        yield "more than ten locations"
    end = info.get("expirationDate")
    if end is not None and datetime.fromisoformat(end).tzinfo is None:
        yield "expirationDate has no time zone"


def _files(pictures: Mapping[str, bytes], strings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("icon.png", "icon@2x.png"):
        if name not in pictures:
            yield f"{name} is missing"
    for name, content in pictures.items():
        found = _FILE.fullmatch(name)
        if found is None:
            yield f"{name!r} is no picture's name"
        if not content.startswith(_PNG):
            yield f"{name!r} is no PNG"
        elif found and not _fits(found[2], int(found[3] or 1), content):
            yield f"{name!r} has the wrong size"
    if any(not _LANGUAGE.fullmatch(language) for language in strings):
        yield "a language of pass.strings is unknown"


def _fits(kind: str, scale: int, png: bytes) -> bool:
    """Has a picture of the poster the size of Apple's table?

    Wallet crops what has not, and would cut through the stamps.
    """
    if kind not in _POSTER_PICTURES:
        return True
    least, most, high = (points * scale for points in _POSTER_PICTURES[kind])
    if len(png) < _SIZE_AT + _SIZE.size:
        return False
    width, height = _SIZE.unpack_from(png, _SIZE_AT)
    return bool(least <= width <= most and height == high)
