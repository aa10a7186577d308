"""Places whose clocks do unusual things, and the moments around those."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = tuple(
    ZoneInfo(name)
    for name in (
        "Asia/Tokyo",  # stands still
        "Asia/Kathmandu",  # 5:45 ahead
        "America/New_York",  # jumps at 2:00, over or back to 1:00
        "Europe/London",
        "Europe/Berlin",
        "America/Santiago",  # at midnight: the day begins at 1:00, or ends twice
        "America/Sao_Paulo",  # as well, until 2019
        "America/St_Johns",  # at 0:01, until 2011: midnight comes twice
        "Australia/Lord_Howe",  # by half an hour
        "Pacific/Chatham",  # at 2:45
        "Africa/Casablanca",  # for Ramadan as well
        "Asia/Gaza",
        "Antarctica/Troll",  # by two hours
        "Pacific/Apia",  # left out 30 December 2011
    )
)

_FIRST = datetime(2010, 1, 1, tzinfo=UTC)
_DAYS = 30 * 365


@cache
def shifts(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The seconds from 2010 to 2040 at which the clock was put forward or back."""
    days = [_FIRST + timedelta(days=n) for n in range(_DAYS + 1)]
    return tuple(
        _first_other(zone, day)
        for day in days
        if _offset(zone, day) != _offset(zone, day + timedelta(days=1))
    )


def moments(zone: ZoneInfo) -> st.SearchStrategy[datetime]:
    """Instants from 2010 to 2040, half of them where the clock is put anew."""
    ever = st.integers(0, _DAYS * 24 * 3600).map(
        lambda seconds: _FIRST + timedelta(seconds=seconds)
    )
    if not shifts(zone):
        return ever
    near = st.builds(
        lambda shift, minutes: shift + timedelta(minutes=minutes),
        st.sampled_from(shifts(zone)),
        st.integers(-26 * 60, 26 * 60),
    )
    return st.one_of(ever, near)


@st.composite
def places(draw: st.DrawFn) -> tuple[ZoneInfo, int, datetime]:
    """A zone, the hour at which a business day begins there, and a moment."""
    zone = draw(st.sampled_from(ZONES))
    return zone, draw(st.integers(0, 9)), draw(moments(zone))


def _first_other(zone: ZoneInfo, day: datetime) -> datetime:
    low, high = 0, 24 * 3600
    while high - low > 1:
        middle = (low + high) // 2
        same = _offset(zone, day + timedelta(seconds=middle)) == _offset(zone, day)
        low, high = (middle, high) if same else (low, middle)
    return day + timedelta(seconds=high)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
