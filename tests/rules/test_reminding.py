"""Which reminder is due: one at a time, in daylight, and none that is not true."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.days import business_day, end_of
from core.rules.reminding import (
    days_left,
    due_reminder,
    horizon,
    kinds_of,
    moment_of,
    occasion,
)
from core.rules.types import Expiry, Gift, Reward
from tests.builders import coffee
from tests.rules.zones import places

TOKYO = ZoneInfo("Asia/Tokyo")
CHOICES = st.sets(st.sampled_from([1, 3, 7, 14, 30]), min_size=1)
# Good until the business day of 1 December.
ENDS = end_of(date(2026, 12, 1), TOKYO, 5)


def tokyo(month, day, hour, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


def due(now, days=(14, 3), since=None, ends=ENDS):
    return due_reminder(ends, days, since=since, zone=TOKYO, day_starts_at=5, now=now)


def test_it_is_due_from_ten_in_the_morning_of_its_day():
    assert due(tokyo(11, 17, 9, 59)) is None
    assert due(tokyo(11, 17, 10)) == 14
    assert due(tokyo(11, 28, 9, 59)) == 14
    assert due(tokyo(11, 28, 10)) == 3


def test_it_is_over_with_what_it_was_about():
    assert due(ENDS - timedelta(seconds=1)) == 3
    assert due(ENDS) is None


def test_of_a_week_that_was_missed_only_the_most_urgent_is_told():
    assert due(tokyo(12, 1, 12), days=(30, 14, 7, 3, 1)) == 1


def test_nobody_is_reminded_on_the_day_on_which_they_saw_it_themselves():
    stamped = tokyo(11, 17, 9)
    assert due(tokyo(11, 17, 12), since=stamped) is None
    assert due(tokyo(11, 18, 12), since=stamped) is None
    assert due(tokyo(11, 28, 12), since=stamped) == 3
    # A stamp at four in the morning is of the business day before.
    assert due(tokyo(11, 17, 12), since=tokyo(11, 17, 4)) == 14


def test_without_days_there_is_no_reminder():
    assert due(tokyo(12, 1, 12), days=()) is None


def test_the_days_that_are_left_are_business_days():
    assert days_left(ENDS, TOKYO, 5, tokyo(11, 28, 10)) == 3
    assert days_left(ENDS, TOKYO, 5, tokyo(11, 29, 4, 59)) == 3
    assert days_left(ENDS, TOKYO, 5, tokyo(12, 2, 4, 59)) == 0


def test_an_end_that_moved_is_another_occasion():
    assert occasion("card", ENDS, 3) != occasion("card", ENDS + timedelta(days=1), 3)
    assert occasion("card", ENDS, 3) != occasion("card", ENDS, 1)
    assert len(occasion("0" * 26, ENDS, 30)) <= 120


@given(places(), CHOICES, st.integers(0, 40), st.integers(0, 24 * 60))
def test_whatever_the_clock_does_it_is_late_enough_and_in_time(
    place, choice, days_on, minutes
):
    zone, starts, now = place
    ends = end_of(business_day(now, zone, starts) + timedelta(days_on), zone, starts)
    now = now + timedelta(minutes=minutes)
    found = due_reminder(
        ends, choice, since=None, zone=zone, day_starts_at=starts, now=now
    )
    if found is None:
        return
    assert now < ends <= now + horizon(choice)
    assert found in choice
    left = days_left(ends, zone, starts, now)
    assert left <= found
    # No more urgent one has had its morning.
    last = business_day(now, zone, starts) + timedelta(left)
    for other in choice:
        if other < found:
            assert moment_of(last - timedelta(other), zone) > now


@given(places(), CHOICES, st.integers(1, 40))
def test_hour_by_hour_each_is_due_once_and_they_come_in_order(place, choice, days_on):
    zone, starts, now = place
    ends = end_of(business_day(now, zone, starts) + timedelta(days_on), zone, starts)
    seen = []
    while now < ends + timedelta(hours=3):
        found = due_reminder(
            ends, choice, since=None, zone=zone, day_starts_at=starts, now=now
        )
        if found is not None and found not in seen:
            seen.append(found)
        now += timedelta(hours=1)
    assert seen == sorted(seen, reverse=True)
    # Every one whose day is still to come is told.
    assert {n for n in choice if n < days_on} <= set(seen)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"rewards": ()}, ()),
        ({"remind_days": (3,)}, ("voucher",)),
        ({"remind_days": (3,), "rewards": (Reward(at=10, name="x"),)}, ()),
        (
            {
                "remind_days": (3,),
                "rewards": (),
                "expires": Expiry(kind="after_last", months=3),
            },
            ("expiry",),
        ),
        ({"birthday": Gift(name="x")}, ("birthday",)),
        (
            {
                "rewards": (),
                "remind_days": (3,),
                "birthday": Gift(name="x", valid="30d"),
            },
            ("voucher", "birthday"),
        ),
    ],
)
def test_a_shop_has_the_kinds_that_its_cards_can_bring(changes, kinds):
    assert kinds_of([coffee(**changes)]) == kinds
