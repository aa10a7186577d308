"""Nothing of what is spent is lost, and double hours go by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.spending import (
    MAX_DOUBLE_HOURS,
    MAX_PER,
    double_hours_text,
    is_double,
    read_double_hours,
    read_spend,
    stamps_for,
)
from core.rules.types import DoubleHours, Spend
from tests.rules.zones import places

NEW_YORK = ZoneInfo("America/New_York")
EVERY_DAY = tuple(range(7))
SATURDAY, SUNDAY = 5, 6

spans = st.builds(
    DoubleHours,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    start=st.integers(0, 24 * 60 - 1),
    end=st.integers(0, 24 * 60),
)
amounts = st.integers(1, 3 * MAX_PER)
spends = st.builds(Spend, per=st.integers(1, MAX_PER))


def spans_of(*lines):
    found = {}
    read = read_double_hours(list(lines), found)
    return read, found


def is_double_at(line, *at):
    (read, _) = spans_of(line)
    return is_double(read, datetime(*at, tzinfo=UTC), NEW_YORK)


# --- purchases -----------------------------------------------------------------


@given(spends, st.lists(amounts, max_size=30))
def test_however_a_sum_is_split_it_is_worth_the_same_and_the_rest_is_kept(spend, paid):
    stamps, remainder = 0, 0
    for amount in paid:
        purchase = stamps_for(amount, remainder, spend)
        assert purchase.stamps >= 0
        stamps += purchase.stamps
        remainder += purchase.remainder
        assert 0 <= remainder < spend.per

    assert (stamps, remainder) == divmod(sum(paid), spend.per)


@given(spends, st.integers(1, MAX_PER), st.lists(amounts, min_size=1, max_size=10))
def test_a_debt_is_paid_off_before_the_next_stamp(spend, debt, paid):
    stamps, remainder = 0, -debt
    for amount in paid:
        purchase = stamps_for(amount, remainder, spend)
        stamps += purchase.stamps
        remainder += purchase.remainder
        assert remainder < spend.per
        assert stamps == 0 or remainder >= 0

    assert stamps * spend.per + remainder == sum(paid) - debt


def test_a_purchase_by_hand():
    spend = Spend(per=500)

    first = stamps_for(1200, 0, spend)
    assert (first.stamps, first.remainder) == (2, 200)
    second = stamps_for(300, 200, spend)
    assert (second.stamps, second.remainder) == (1, -200)
    third = stamps_for(499, 0, spend)
    assert (third.stamps, third.remainder) == (0, 499)


@pytest.mark.parametrize(
    ("data", "spend"),
    [
        ({}, None),
        ({"stamp_per": 0, "minimum": 300}, None),
        ({"stamp_per": 500}, Spend(per=500)),
        ({"stamp_per": 500, "minimum": 300}, Spend(per=500, minimum=300)),
        ({"stamp_per": MAX_PER}, Spend(per=MAX_PER)),
    ],
)
def test_a_stamp_for_each_so_much_is_read(data, spend):
    found = {}

    assert read_spend(data, found) == spend
    assert found == {}


@pytest.mark.parametrize("field", ["stamp_per", "minimum"])
@pytest.mark.parametrize("value", [-1, MAX_PER + 1, "much"])
def test_an_amount_that_cannot_be_is_named(field, value):
    found = {}

    read_spend({"stamp_per": 500, field: value}, found)

    assert [*found] == [field]


# --- double hours: written and read --------------------------------------------


@given(spans)
def test_what_is_printed_is_read_again_as_it_was(span):
    assert spans_of(double_hours_text(span)) == ((span,), {})


@pytest.mark.parametrize(
    ("line", "span"),
    [
        ("14:00-17:00", DoubleHours(days=EVERY_DAY, start=840, end=1020)),
        ("SAT,sun 9:00-12:00", DoubleHours(days=(5, 6), start=540, end=720)),
        ("mon-fri 22:00-2:00", DoubleHours(days=(0, 1, 2, 3, 4), start=1320, end=120)),
        ("fri-mon 0:00-24:00", DoubleHours(days=(0, 4, 5, 6), start=0, end=1440)),
        ("mon-sun 8:00-9:30", DoubleHours(days=EVERY_DAY, start=480, end=570)),
        ("wed-wed,fri 8:05-9:00", DoubleHours(days=(2, 4), start=485, end=540)),
    ],
)
def test_hours_are_read_as_people_write_them(line, span):
    assert spans_of(line) == ((span,), {})


@pytest.mark.parametrize(
    "line",
    [
        "afternoon",
        "14:00",
        "24:00-2:00",
        "14:60-15:00",
        "14:00-15:60",
        "14:00-24:01",
        "mon- 9:00-12:00",
        "mon,,tue 9:00-12:00",
        "mon-wed-fri 9:00-12:00",
        "someday 9:00-12:00",
    ],
)
def test_hours_that_make_no_sense_are_named_and_none_are_kept(line):
    read, found = spans_of("9:00-12:00", line)

    assert read == ()
    assert [*found] == ["double_hours"]


def test_no_more_spans_than_days_of_the_week():
    lines = [f"{hour}:00-{hour}:30" for hour in range(MAX_DOUBLE_HOURS + 1)]

    assert len(spans_of(*lines[:-1])[0]) == MAX_DOUBLE_HOURS
    assert [*spans_of(*lines)[1]] == ["double_hours"]


# --- double hours: when --------------------------------------------------------


@given(st.lists(spans, max_size=3), places())
def test_double_is_what_the_wall_shows_on_the_day_that_it_began(hours, place):
    zone, _, at = place
    wall = at.astimezone(zone).replace(tzinfo=None)

    expected = any(
        begins <= wall < ends for span in hours for begins, ends in around(span, wall)
    )

    assert is_double(hours, at, zone) == expected


def around(span, wall):
    """The span as it began yesterday and today, where it did."""
    for day in (wall.date() - timedelta(days=1), wall.date()):
        if day.weekday() in span.days:
            midnight = datetime.combine(day, time())
            begins = midnight + timedelta(minutes=span.start)
            ends = midnight + timedelta(minutes=span.end)
            yield begins, ends if ends > begins else ends + timedelta(days=1)


def test_an_hour_that_comes_twice_is_double_twice():
    # 1:00 to 2:00 on 1 November 2026: from 5:00 to 7:00 UTC.
    line = "sun 1:00-2:00"

    assert not is_double_at(line, 2026, 11, 1, 4, 59, 59)
    assert is_double_at(line, 2026, 11, 1, 5, 0)
    assert is_double_at(line, 2026, 11, 1, 6, 0)
    assert is_double_at(line, 2026, 11, 1, 6, 59, 59)
    assert not is_double_at(line, 2026, 11, 1, 7, 0)


def test_an_hour_that_is_left_out_is_double_for_nobody():
    for minutes in range(-90, 90):
        at = datetime(2026, 3, 8, 7, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        assert not is_double(spans_of("2:00-3:00")[0], at, NEW_YORK)


def test_a_saturday_night_goes_on_until_the_clock_shows_its_end():
    line = "sat 22:00-2:00"

    # 8 March 2026: 1:59 is followed by 3:00.
    assert is_double_at(line, 2026, 3, 8, 6, 59, 59)
    assert not is_double_at(line, 2026, 3, 8, 7, 0)
    # 1 November 2026: 1:59 comes twice.
    assert is_double_at(line, 2026, 11, 1, 5, 59)
    assert is_double_at(line, 2026, 11, 1, 6, 59)
    assert not is_double_at(line, 2026, 11, 1, 7, 0)
    # A night began on Saturday, not on Sunday or Friday.
    assert not is_double_at(line, 2026, 3, 7, 6, 30)
    assert not is_double_at(line, 2026, 3, 9, 3, 0)
