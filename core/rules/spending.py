"""How many stamps a purchase is worth: one for each so much, the remainder kept,
double at some hours. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.rules.fields import Problems, number
from core.rules.types import DoubleHours, Spend

MAX_PER = 1_000_000
MAX_DOUBLE_HOURS = 7
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES = 24 * 60
_HOURS = re.compile(r"(?:([a-z,-]+) )?(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Purchase:
    """`stamps` (≥ 0) for an amount, and how much the card's remainder changes."""

    stamps: int
    remainder: int


def stamps_for(amount: int, remainder: int, spend: Spend) -> Purchase:
    """What `amount` is worth on a card that has `remainder` already.

    A remainder below zero (a purchase that was taken back after its remainder had been
    used) is paid off first.
    """
    stamps = max((remainder + amount) // spend.per, 0)
    return Purchase(stamps, amount - stamps * spend.per)


def is_double(hours: Sequence[DoubleHours], at: datetime, zone: ZoneInfo) -> bool:
    """Is `at` within one of these hours, by the clock on the merchant's wall?"""
    local = at.astimezone(zone)
    minute, today = local.hour * 60 + local.minute, local.weekday()
    return any(_covers(span, minute, today) for span in hours)


def read_spend(data: Mapping[str, Any], found: Problems) -> Spend | None:
    """`stamp_per` and `minimum` of a design's dict; None where `stamp_per` is 0."""
    per = number(data, "stamp_per", 0, 0, MAX_PER, found)
    minimum = number(data, "minimum", 0, 0, MAX_PER, found)
    return Spend(per=per, minimum=minimum) if per else None


def read_double_hours(items: object, found: Problems) -> tuple[DoubleHours, ...]:
    """Lines such as "14:00-17:00", "sat,sun 9:00-12:00" or "mon-fri 22:00-2:00"."""
    lines = items if isinstance(items, list) else [items] if items else []
    spans = [_read_span(str(text).strip().lower()) for text in lines if text]
    known = tuple(span for span in spans if span is not None)
    if len(known) < len(spans) or len(known) > MAX_DOUBLE_HOURS:
        found["double_hours"] = ("invalid.double_hours", {"max": MAX_DOUBLE_HOURS})
        return ()
    return known


def double_hours_text(span: DoubleHours) -> str:
    """The line that `read_double_hours` reads."""
    hours = f"{_clock(span.start)}-{_clock(span.end)}"
    if len(span.days) == len(_DAYS):
        return hours
    return f"{','.join(_DAYS[day] for day in span.days)} {hours}"


def _covers(span: DoubleHours, minute: int, today: int) -> bool:
    if span.start < span.end:
        return today in span.days and span.start <= minute < span.end
    yesterday = (today - 1) % len(_DAYS)
    return (today in span.days and minute >= span.start) or (
        yesterday in span.days and minute < span.end
    )


def _read_span(text: str) -> DoubleHours | None:
    found = _HOURS.fullmatch(text)
    if found is None:
        return None
    days = _read_days(found[1])
    start = int(found[2]) * 60 + int(found[3])
    end = int(found[4]) * 60 + int(found[5])
    sound = start < _MINUTES and end <= _MINUTES and int(found[3]) < 60  # noqa: PLR2004 -- minutes of an hour
    if not days or not sound or int(found[5]) >= 60:  # noqa: PLR2004 -- same
        return None
    return DoubleHours(days=days, start=start, end=end)


def _read_days(text: str | None) -> tuple[int, ...]:
    if not text:
        return tuple(range(len(_DAYS)))
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in _DAYS or last not in _DAYS:
            return ()
        start, end = _DAYS.index(first), _DAYS.index(last)
        length = (end - start) % len(_DAYS)
        days |= {(start + step) % len(_DAYS) for step in range(length + 1)}
    return tuple(sorted(days))


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"
