"""What a phone asks of a pass: checked before we sign, since Wallet says only "no".

https://developer.apple.com/documentation/walletpasses/pass; the list follows
https://github.com/tomasmcguinness/pkpassvalidator.
"""

from __future__ import annotations

import re
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
_SHORTEST_SECRET = 16
_MOST_HEADER, _MOST_ROW, _MOST_LOCATIONS = 3, 4, 10
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = re.compile(r"rgb\(\d{1,3}, ?\d{1,3}, ?\d{1,3}\)")
_FILE = re.compile(r"([a-z]{2}\.lproj/)?[A-Za-z]+(@[23]x)?\.png")
_LANGUAGE = re.compile(r"[a-z]{2}")

Json = Mapping[str, Any]


def check_pass(
    info: Json, pictures: Mapping[str, bytes], strings: Mapping[str, Any]
) -> None:
    """Raise ValueError with every rule of Apple's that a pass breaks."""
    problems = [
        *_keys(info),
        *_web_service(info),
        *_fields(info.get("storeCard", {})),
        *_barcodes(info.get("barcodes", [])),
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


def _fields(card: Json) -> Iterator[str]:
    groups = {group: card.get(group, []) for group in GROUPS}
    every = [field for fields in groups.values() for field in fields]
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
    if len(groups["headerFields"]) > _MOST_HEADER:
        yield "too many header fields"
    if len(groups["secondaryFields"] + groups["auxiliaryFields"]) > _MOST_ROW:
        yield "too many secondary and auxiliary fields"


def _barcodes(barcodes: list[Json]) -> Iterator[str]:
    for barcode in barcodes:
        if not barcode.get("message", "").isascii() or not barcode.get("message"):
            yield "a barcode's message is empty or not ASCII"
        if barcode.get("messageEncoding") != "iso-8859-1":
            yield "a barcode's messageEncoding is not iso-8859-1"


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
        if not _FILE.fullmatch(name):
            yield f"{name!r} is no picture's name"
        if not content.startswith(_PNG):
            yield f"{name!r} is no PNG"
    if any(not _LANGUAGE.fullmatch(language) for language in strings):
        yield "a language of pass.strings is unknown"
