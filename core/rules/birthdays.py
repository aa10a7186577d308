"""Which day is somebody's birthday, and is its reward due: pure.

Days are business days in the merchant's zone. Who is born on 29 February has their
birthday on the 28th in the years without one. A birthday that was told less than 30
days ahead waits a year, so that nobody has a birthday because they are at the till.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.rules.days import start_of

AHEAD = timedelta(days=30)

# Nobody's phone rings for a gift before this hour.
MORNING = time(7)

# A year that has every day.
_LEAP = 2000


def birthday_text(month: int, day: int) -> str:
    """The birthday as it is kept: "MM-DD".

    Raises `Invalid` for "birthday" where no year has such a day.
    """
    try:
        return date(_LEAP, month, day).strftime("%m-%d")
    except ValueError:
        raise Invalid({"birthday": ("invalid.birthday", {})}) from None


def birthday_in(year: int, birthday: str) -> date:
    """The day of `year` on which the birthday "MM-DD" falls."""
    born = date.fromisoformat(f"{_LEAP}-{birthday}")
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def birthdays_on(day: date) -> tuple[str, ...]:
    """Every birthday "MM-DD" that falls on `day`."""
    found = [day.strftime("%m-%d")]
    if birthday_in(day.year, "02-29") == day and "02-29" not in found:
        found.append("02-29")
    return tuple(found)


def is_due(day: date, told_on: date) -> bool:
    """Has the birthday on `day`, told on `told_on`, its reward?"""
    return day - told_on >= AHEAD


def first_reward_on(birthday: str, told_on: date) -> date:
    """The first birthday that has its reward, for one that was told on `told_on`."""
    day = birthday_in(told_on.year, birthday)
    while not is_due(day, told_on):
        day = birthday_in(day.year + 1, birthday)
    return day


def morning_of(day: date, zone: ZoneInfo, day_starts_at: int) -> datetime:
    """From when on the gifts of business day `day` are given: 7:00, or its start."""
    seven = datetime.combine(day, MORNING, zone).astimezone(UTC)
    return max(seven, start_of(day, zone, day_starts_at))
