"""Every sentence that a person can read, in Japanese and English (`core/text/`)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from core.rules.days import last_day
from core.rules.types import Language

LANGUAGES: tuple[Language, ...] = ("ja", "en")


def say(key: str, language: Language, /, **values: object) -> str:
    """The sentence `key` ("why.used_code") in `language`, its blanks filled.

    A sentence with the forms `one` and `other` takes the one that fits `n`.
    Raises KeyError for an unknown key: a missing sentence must fail a test.
    """
    found: object = _texts(language)
    for part in key.split("."):
        found = found[part] if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        found = found["one" if values.get("n") == 1 and "one" in found else "other"]
    if not isinstance(found, str):
        raise KeyError(key)
    return found.format(**values)


def say_time(at: datetime, timezone: str, language: Language) -> str:
    """A month, day and time of day as people of that language write them."""
    local = at.astimezone(ZoneInfo(timezone))
    if language == "ja":
        return f"{local.month}/{local.day} {local.hour}:{local.minute:02d}"
    return format_datetime(local, "MMM d, HH:mm", locale="en")


def say_day(at: datetime | date, timezone: str, language: Language) -> str:
    """A day with its year as people of that language write it."""
    day = at.astimezone(ZoneInfo(timezone)).date() if isinstance(at, datetime) else at
    if language == "ja":
        return f"{day.year}/{day.month}/{day.day}"
    return format_date(day, "MMM d, y", locale="en")


def say_last_day(expires_at: datetime, timezone: str, language: Language) -> str:
    """The last day on which what ends at `expires_at` can be used."""
    return say_day(last_day(expires_at, ZoneInfo(timezone)), timezone, language)


def say_yen(amount: int) -> str:
    """An amount of money; the smallest unit of the yen is the yen itself."""
    return f"¥{amount:,}"


def pick_language(wanted: str | None) -> Language:
    """The language for a BCP 47 tag: Japanese for ja*, English for any other.

    An unknown tag (None or "") means a Japanese shop's customer: Japanese.
    """
    return "ja" if not wanted or wanted.lower().startswith("ja") else "en"


def keys(language: Language) -> frozenset[str]:
    """All sentence keys of a language, for the test that compares the two."""
    return frozenset(_walk(_texts(language), ""))


@cache
def _texts(language: Language) -> Mapping[str, object]:
    # A folder may bring files of its own (bot.ja.toml): rooms keep their words apart.
    found: dict[str, object] = {}
    for file in sorted(files("core").joinpath("text").iterdir(), key=lambda f: f.name):
        if file.name.endswith(f"{language}.toml"):
            found |= tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def _walk(texts: Mapping[str, object], above: str) -> list[str]:
    found = []
    for key, value in texts.items():
        if isinstance(value, Mapping) and "other" not in value:
            found += _walk(value, f"{above}{key}.")
        else:
            found.append(f"{above}{key}")
    return found
