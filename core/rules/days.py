"""Business days and calendar months in a merchant's zone.

A business day begins when the clock on the merchant's wall comes to the cut-off hour
for the first time. Where the clock jumps over that hour, it begins at the instant which
the clock would have called so without the jump (PEP 495, `fold=0`).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)

# A day ends at 0:00 to 9:00, give or take the three hours that a clock may be put
# forward or back: so much earlier it is that day for all.
_INTO_THE_DAY = timedelta(hours=13)


def business_day(at: datetime, zone: ZoneInfo, day_starts_at: int) -> date:
    """The business day of an instant: before the cut-off hour it is still yesterday."""
    # The hour on the wall alone does not tell: put back at the cut-off, the clock shows
    # an earlier hour although the day has begun. A day that a country skipped, as Samoa
    # 30 December 2011, begins with the next one and is nobody's day.
    day = at.astimezone(zone).date() + _DAY
    while start_of(day, zone, day_starts_at) > at:
        day -= _DAY
    return day


def start_of(day: date, zone: ZoneInfo, day_starts_at: int) -> datetime:
    """The instant (UTC) at which business day `day` begins."""
    return datetime.combine(day, time(day_starts_at), zone).astimezone(UTC)


def end_of(day: date, zone: ZoneInfo, day_starts_at: int) -> datetime:
    """The instant (UTC) at which business day `day` has ended."""
    return start_of(day + _DAY, zone, day_starts_at)


def last_day(expires_at: datetime, zone: ZoneInfo) -> date:
    """The last business day on which something that ends at `expires_at` is good."""
    return (expires_at.astimezone(UTC) - _INTO_THE_DAY).astimezone(zone).date()


def add_months(day: date, months: int) -> date:
    """The same day `months` later, clamped to the month's end (31 Jan + 1 = 28 Feb)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
