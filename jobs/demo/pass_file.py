"""Reads a .pkpass the way a phone does: pass.json, words, pictures, manifest.

https://developer.apple.com/documentation/walletpasses
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.dates import format_date, format_datetime

from core.rules.types import Language
from core.wording import say

STYLES = ("storeCard", "generic", "coupon", "eventTicket", "boardingPass")
GROUPS = ("header", "primary", "secondary", "auxiliary", "back")
_PAIR = re.compile(r'"((?:\\.|[^"\\])*)"\s*=\s*"((?:\\.|[^"\\])*)"\s*;')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class BadPass(ValueError):
    """A phone would not take this file; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassFile:
    """An opened pass. `strings` are its translations by language, maybe none."""

    info: dict[str, Any]
    files: dict[str, bytes]
    strings: dict[str, dict[str, str]]

    @property
    def serial(self) -> str:
        """The pass's serial number."""
        return str(self.info["serialNumber"])

    def say(self, text: object, language: Language) -> str:
        """`text` in `language`, where the pass translates it."""
        plain = str(text)
        return self.strings.get(language, {}).get(plain, plain)

    def fields(self, group: str, language: Language) -> list[dict[str, str]]:
        """key, label, value and changeMessage of the fields of a group, as drawn."""
        style: dict[str, Any] = next(
            (self.info[s] for s in STYLES if s in self.info), {}
        )
        return [
            {
                "key": str(field["key"]),
                "label": self.say(field.get("label", ""), language),
                "value": self.say(_value(field, language), language),
                "changeMessage": self.say(field.get("changeMessage", ""), language),
                "align": str(field.get("textAlignment", ""))[15:].lower(),
            }
            for field in style.get(f"{group}Fields", [])
        ]

    def picture(self, name: str, language: Language) -> bytes | None:
        """The sharpest picture called `name` ("strip"); that of `language` first."""
        for folder in (f"{language}.lproj/", ""):
            for scale in ("@3x", "@2x", ""):
                if found := self.files.get(f"{folder}{name}{scale}.png"):
                    return found
        return None


def open_pass(content: bytes) -> PassFile:
    """Unzip and check a pass; BadPass where a phone would refuse it.

    The signature must be there but isn't verified: `openssl cms` does that in tests.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise BadPass("not a zip archive") from error
    for needed in ("pass.json", "manifest.json", "signature", "icon.png"):
        if needed not in files and not (
            needed == "icon.png" and any(n.startswith("icon@") for n in files)
        ):
            raise BadPass(f"{needed} is missing")
    _check_manifest(files)
    info = json.loads(files["pass.json"])
    for key in ("serialNumber", "passTypeIdentifier", "teamIdentifier", "description"):
        if not info.get(key):
            raise BadPass(f"pass.json has no {key}")
    strings = {
        name.partition(".lproj/")[0]: _strings(content)
        for name, content in files.items()
        if name.endswith(".lproj/pass.strings")
    }
    return PassFile(info=info, files=files, strings=strings)


def change_message(old: PassFile, new: PassFile, language: Language) -> str | None:
    """What the lock screen says about an update, None when it stays dark.

    Several changed fields with a message each make one generic line (iOS 9 and later).
    """
    before = {f["key"]: f["value"] for g in GROUPS for f in old.fields(g, language)}
    said = [
        field["changeMessage"].replace("%@", field["value"])
        for group in GROUPS
        for field in new.fields(group, language)
        if field["changeMessage"] and before.get(field["key"]) != field["value"]
    ]
    if len(said) == 1:
        return said[0]
    name = new.say(new.info.get("organizationName", ""), language)
    return say("demo.pass_changed", language, name=name) if said else None


def _check_manifest(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    listed = set(files) - {"manifest.json", "signature"}
    if set(manifest) != listed:
        raise BadPass(f"manifest and files differ: {set(manifest) ^ listed}")
    for name, digest in manifest.items():
        # SHA-1 is what Apple's manifest is made of.
        found = hashlib.sha1(files[name], usedforsecurity=False).hexdigest()
        if found != digest:
            raise BadPass(f"{name} does not match the manifest")


def _strings(content: bytes) -> dict[str, str]:
    is_utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    return {_plain(key): _plain(value) for key, value in _PAIR.findall(text)}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text)


def _value(field: dict[str, Any], language: Language) -> str:
    value = field.get("attributedValue", field.get("value", ""))
    day, time = field.get("dateStyle"), field.get("timeStyle")
    if not (day or time) or not isinstance(value, str):
        return str(value)
    at = datetime.fromisoformat(value)
    if not time or time == "PKDateStyleNone":
        return format_date(at, "medium", locale=language)
    return format_datetime(at, "medium", tzinfo=at.tzinfo, locale=language)
