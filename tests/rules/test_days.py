"""Business days, month ends and summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.rules.days import add_months, business_day, end_of, last_day, start_of
from tests.rules.zones import ZONES, places, shifts

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
ST_JOHNS = ZoneInfo("America/St_Johns")
CHATHAM = ZoneInfo("Pacific/Chatham")
TROLL = ZoneInfo("Antarctica/Troll")
APIA = ZoneInfo("Pacific/Apia")
NEVER_WAS = date(2011, 12, 30)

days = st.dates(date(2010, 1, 1), date(2039, 12, 31))
hours = st.integers(0, 9)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


# --- a moment and its business day ---------------------------------------------


@given(places())
@example((TOKYO, 5, utc(2026, 11, 23, 20, 0)))
@example((NEW_YORK, 2, utc(2026, 3, 8, 7, 0)))
@example((NEW_YORK, 1, utc(2026, 11, 1, 6, 0)))
@example((ST_JOHNS, 0, utc(2010, 11, 7, 2, 45)))
@example((CHATHAM, 3, utc(2026, 4, 4, 14, 0)))
@example((TROLL, 2, utc(2026, 10, 25, 1, 30)))
@example((TROLL, 2, utc(2026, 3, 29, 1, 30)))
@example((APIA, 5, utc(2011, 12, 30, 12, 0)))
def test_a_moment_lies_in_its_business_day_and_in_no_other(place):
    zone, hour, at = place
    own = business_day(at, zone, hour)

    for away in range(-3, 4):
        day = own + timedelta(days=away)
        within = start_of(day, zone, hour) <= at < end_of(day, zone, hour)
        assert within == (day == own)


@given(places(), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_later_moment_is_never_of_an_earlier_day(place, later):
    zone, hour, at = place

    assert business_day(at, zone, hour) <= business_day(at + later, zone, hour)


@given(places())
def test_the_next_day_begins_with_the_end_and_not_a_second_before(place):
    zone, hour, at = place
    day = business_day(at, zone, hour)
    end = end_of(day, zone, hour)

    assert business_day(end - timedelta(seconds=1), zone, hour) == day
    following = day + timedelta(days=1)
    if (zone, following) == (APIA, NEVER_WAS):
        following += timedelta(days=1)
    assert business_day(end, zone, hour) == following


@given(days, st.sampled_from(ZONES), hours)
def test_a_business_day_has_23_to_25_hours(day, zone, hour):
    length = end_of(day, zone, hour) - start_of(day, zone, hour)

    if (zone, day) == (APIA, NEVER_WAS):
        assert length == timedelta(0)
        return
    leap = timedelta(hours=2 if zone == TROLL else 1)
    assert timedelta(days=1) - leap <= length <= timedelta(days=1) + leap


@given(st.data(), hours)
def test_what_ends_with_a_business_day_is_good_on_that_day(data, hour):
    zone = data.draw(st.sampled_from(ZONES))
    seen = [shift.astimezone(zone).date() for shift in shifts(zone)]
    turns = st.sampled_from(seen).map(lambda day: day - timedelta(days=1))
    day = data.draw(st.one_of(days, turns) if seen else days)
    assume((zone, day) != (APIA, NEVER_WAS))

    assert day == last_day(end_of(day, zone, hour), zone)


# --- by hand -------------------------------------------------------------------


def test_a_cut_off_that_the_clock_jumps_over_is_the_moment_of_the_jump():
    # 8 March 2026 has no 2:00 in New York: 1:59 is followed by 3:00, at 7:00 UTC.
    day = date(2026, 3, 8)

    assert start_of(day, NEW_YORK, 2) == utc(2026, 3, 8, 7, 0)
    assert business_day(utc(2026, 3, 8, 6, 59), NEW_YORK, 2) == date(2026, 3, 7)
    assert business_day(utc(2026, 3, 8, 7, 0), NEW_YORK, 2) == day
    assert end_of(day, NEW_YORK, 2) == utc(2026, 3, 9, 6, 0)  # 23 hours


def test_of_a_cut_off_that_comes_twice_the_first_one_counts():
    # 1 November 2026 has 1:00 twice in New York, at 5:00 and at 6:00 UTC.
    day = date(2026, 11, 1)

    assert start_of(day, NEW_YORK, 1) == utc(2026, 11, 1, 5, 0)
    assert business_day(utc(2026, 11, 1, 4, 59), NEW_YORK, 1) == date(2026, 10, 31)
    assert business_day(utc(2026, 11, 1, 6, 0), NEW_YORK, 1) == day
    assert end_of(day, NEW_YORK, 1) == utc(2026, 11, 2, 6, 0)  # 25 hours


def test_a_day_that_has_begun_stays_although_the_clock_shows_yesterday_again():
    # At 0:01 St John's put its clock back to 23:01 of the day before.
    midnight = utc(2010, 11, 7, 2, 30)

    for minutes in (0, 1, 30, 60, 61):
        at = midnight + timedelta(minutes=minutes)
        assert business_day(at, ST_JOHNS, 0) == date(2010, 11, 7)


def test_a_cut_off_within_a_longer_jump_counts_by_the_old_clock():
    # Troll goes from 1:00 to 3:00: what had been 2:00 is 4:00 on the new clock.
    assert start_of(date(2026, 3, 29), TROLL, 2) == utc(2026, 3, 29, 2, 0)
    assert business_day(utc(2026, 3, 29, 1, 59), TROLL, 2) == date(2026, 3, 28)


def test_nothing_happens_on_a_day_that_was_left_out():
    eve = end_of(date(2011, 12, 29), APIA, 5)

    assert business_day(eve - timedelta(seconds=1), APIA, 5) == date(2011, 12, 29)
    assert business_day(eve, APIA, 5) == date(2011, 12, 31)
    assert last_day(eve, APIA) == date(2011, 12, 29)


# --- months --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
    ],
)
def test_months_clamp_to_the_months_end(day, months, expected):
    assert expected == add_months(day, months)


months = st.integers(0, 60)


@given(days, months, months)
def test_months_add_up_but_for_what_a_short_month_clamps(day, one, other):
    at_once = add_months(day, one + other)
    in_two = add_months(add_months(day, one), other)

    assert (in_two.year, in_two.month) == (at_once.year, at_once.month)
    assert in_two <= at_once
    if day.day <= 28:
        assert in_two == at_once


@given(days, days, months)
def test_who_came_later_never_ends_earlier(one, other, count):
    earlier, later = sorted((one, other))

    assert add_months(earlier, count) <= add_months(later, count)
    assert add_months(earlier, count) < add_months(earlier, count + 1)
