"""Business days, month ends and summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.days import add_months, business_day, end_of, last_day, start_of
from core.rules.expiry import card_expires_at, voucher_expires_at
from core.rules.types import Expiry

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
    ],
)
def test_months_clamp_to_the_months_end(day, months, expected):
    assert expected == add_months(day, months)


@given(
    st.integers(0, 15 * 365 * 24 * 60).map(
        lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from([TOKYO, BERLIN, ZoneInfo("America/New_York")]),
    st.integers(0, 9),
)
def test_every_instant_lies_within_its_business_day(at, zone, hour):
    day = business_day(at, zone, hour)

    assert start_of(day, zone, hour) <= at < end_of(day, zone, hour)


def test_a_business_day_may_have_25_hours():
    day = date(2026, 10, 24)

    length = end_of(day, BERLIN, 5) - start_of(day, BERLIN, 5)

    assert timedelta(hours=25) == length


def test_a_card_lives_to_the_end_of_its_last_business_day():
    last = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)

    ends = card_expires_at(
        Expiry(kind="after_last", months=1),
        first=None,
        last=last,
        zone=TOKYO,
        day_starts_at=5,
    )

    assert datetime(2026, 2, 28, 20, 0, tzinfo=UTC) == ends


def test_a_voucher_without_a_term_never_ends():
    now = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)

    assert voucher_expires_at(None, issued=now, zone=TOKYO, day_starts_at=0) is None
    thirty = voucher_expires_at("30d", issued=now, zone=TOKYO, day_starts_at=0)
    assert datetime(2026, 3, 2, 15, 0, tzinfo=UTC) == thirty


@given(
    st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    st.sampled_from([TOKYO, BERLIN]),
    st.integers(0, 9),
)
def test_what_ends_with_a_business_day_is_good_on_that_day(day, zone, hour):
    assert day == last_day(end_of(day, zone, hour), zone)
