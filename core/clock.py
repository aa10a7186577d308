"""The only place that reads the wall clock. Everything else is given `now`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_OFFSET = re.compile(r"([+-])(\d+)([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Clock:
    """Tells the time in UTC, moved by `offset` for drills."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC) + self.offset


def parse_offset(text: str) -> timedelta:
    """Read "+36h", "-90s", "+2d" or ""; ValueError for anything else."""
    if not text:
        return timedelta()
    found = _OFFSET.fullmatch(text)
    if found is None:
        msg = f"{text!r} is not an offset such as +36h, -90s or +2d"
        raise ValueError(msg)
    sign, count, unit = found.groups()
    span = timedelta(**{_UNIT[unit]: int(count)})
    return -span if sign == "-" else span
