"""Business days and calendar months in a merchant's zone."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def business_day(at: datetime, zone: ZoneInfo, day_starts_at: int) -> date:
    """The business day of an instant: before the cut-off hour it is still yesterday."""
    local = at.astimezone(zone)
    return local.date() if local.hour >= day_starts_at else local.date() - timedelta(1)


def start_of(day: date, zone: ZoneInfo, day_starts_at: int) -> datetime:
    """The instant (UTC) at which business day `day` begins."""
    return datetime.combine(day, time(day_starts_at), zone).astimezone(UTC)


def end_of(day: date, zone: ZoneInfo, day_starts_at: int) -> datetime:
    """The instant (UTC) at which business day `day` has ended."""
    return start_of(day + timedelta(1), zone, day_starts_at)


def last_day(expires_at: datetime, zone: ZoneInfo) -> date:
    """The last business day on which something that ends at `expires_at` is good.

    Ends fall on a cut-off hour of 0 to 9: ten hours earlier it is that day for all.
    """
    return (expires_at.astimezone(zone) - timedelta(hours=10)).date()


def add_months(day: date, months: int) -> date:
    """The same day `months` later, clamped to the month's end (31 Jan + 1 = 28 Feb)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
