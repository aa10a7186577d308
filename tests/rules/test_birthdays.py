"""Whose birthday is it, and has it waited long enough?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.rules.birthdays import (
    birthday_in,
    birthday_text,
    birthdays_on,
    first_reward_on,
    is_due,
)

DAYS = st.dates(date(2010, 1, 1), date(2040, 12, 31))
BIRTHDAYS = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(
    lambda day: day.strftime("%m-%d")
)


@pytest.mark.parametrize(
    ("month", "day"), [(0, 1), (13, 1), (1, 0), (1, 32), (2, 30), (4, 31), (-1, 5)]
)
def test_a_day_that_no_year_has_is_no_birthday(month, day):
    with pytest.raises(Invalid, match="birthday"):
        birthday_text(month, day)


def test_every_day_of_a_leap_year_is_a_birthday():
    assert birthday_text(2, 29) == "02-29"
    assert birthday_text(12, 31) == "12-31"
    assert birthday_text(1, 1) == "01-01"


def test_the_leap_day_is_the_28th_in_other_years():
    assert birthday_in(2027, "02-29") == date(2027, 2, 28)
    assert birthday_in(2028, "02-29") == date(2028, 2, 29)
    assert birthday_in(2100, "02-29") == date(2100, 2, 28)
    assert birthdays_on(date(2027, 2, 28)) == ("02-28", "02-29")
    assert birthdays_on(date(2028, 2, 28)) == ("02-28",)
    assert birthdays_on(date(2028, 2, 29)) == ("02-29",)


def test_thirty_days_ahead_are_enough_and_twenty_nine_are_not():
    birthday = date(2026, 12, 24)

    assert is_due(birthday, birthday - timedelta(days=30))
    assert not is_due(birthday, birthday - timedelta(days=29))
    assert not is_due(birthday, birthday)
    assert not is_due(birthday, birthday + timedelta(days=1))


def test_a_birthday_told_too_late_waits_for_the_next_one():
    assert first_reward_on("12-24", date(2026, 11, 24)) == date(2026, 12, 24)
    assert first_reward_on("12-24", date(2026, 11, 25)) == date(2027, 12, 24)
    assert first_reward_on("12-24", date(2026, 12, 25)) == date(2027, 12, 24)
    assert first_reward_on("01-10", date(2026, 12, 20)) == date(2028, 1, 10)
    assert first_reward_on("02-29", date(2027, 1, 29)) == date(2027, 2, 28)
    assert first_reward_on("02-29", date(2027, 1, 30)) == date(2028, 2, 29)


@given(BIRTHDAYS, DAYS)
def test_each_year_has_each_birthday_once(birthday, day):
    year = [date(day.year, 1, 1) + timedelta(days=n) for n in range(366)]

    falls = [d for d in year if d.year == day.year and birthday in birthdays_on(d)]

    assert [birthday_in(day.year, birthday)] == falls


@given(BIRTHDAYS, DAYS)
def test_nobody_waits_less_than_thirty_days_nor_much_more_than_a_year(birthday, told):
    first = first_reward_on(birthday, told)

    assert birthday in birthdays_on(first)
    assert timedelta(days=30) <= first - told <= timedelta(days=30 + 366)
    # No earlier birthday had waited as long.
    before = birthday_in(first.year - 1, birthday)
    assert not is_due(before, told)
