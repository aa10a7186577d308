"""Reading typed or stored values, and noting what is wrong with each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Problems = dict[str, tuple[str, Mapping[str, object]]]


def number(
    data: Mapping[str, Any],
    field: str,
    default: int,
    low: int,
    high: int,
    found: Problems,
) -> int:
    """The whole number in `field`; "invalid.number" and `default` for any other."""
    value = data.get(field, default)
    try:
        whole = int(str(value))
    except ValueError:
        whole = low - 1
    if low <= whole <= high:
        return whole
    found[field] = ("invalid.number", {"min": low, "max": high})
    return default


def flag(data: Mapping[str, Any], field: str, found: Problems) -> bool:
    """Is `field` true? "invalid.flag" for what is neither true nor false."""
    value = data.get(field, False)
    if not isinstance(value, bool):
        found[field] = ("invalid.flag", {})
    return value is True


def line(
    data: Mapping[str, Any],
    field: str,
    default: str,
    longest: int,
    found: Problems,
    *,
    required: bool = False,
) -> str:
    """The text in `field` without blanks around it, at most `longest` characters."""
    value = data.get(field, default)
    text = value.strip() if isinstance(value, str) else ""
    if required and not text:
        found[field] = ("invalid.empty", {})
    elif len(text) > longest:
        found[field] = ("invalid.long", {"max": longest})
    elif any(ord(letter) < ord(" ") and letter not in "\r\n" for letter in text):
        found[field] = ("invalid.control", {})
    else:
        return text
    return default


def matching(
    data: Mapping[str, Any],
    field: str,
    default: str,
    pattern: re.Pattern[str],
    problem: str,
    found: Problems,
) -> str:
    """The text in `field` where the whole of it matches, else `problem`."""
    value = str(data.get(field) or default)
    if pattern.fullmatch(value):
        return value
    found[field] = (problem, {})
    return default


def text_or_none(value: object) -> str | None:
    """The value as text without blanks around it; None for nothing."""
    return str(value).strip() or None if value else None
