"""Codes that a Google pass makes: RFC 6238, a minute and a half, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.pass_codes import (
    PERIOD,
    PassCode,
    code_before_value,
    counter_of,
    read_pass_code,
    value_at,
)

# The key of RFC 6238, appendix B, which is the one in Google's own example.
KEY = bytes.fromhex("3132333435363738393031323334353637383930")
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}

keys = st.binary(min_size=20, max_size=20)
instants = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 -- the zone is beside it
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize("second", VECTORS)
def test_the_values_are_the_last_digits_of_the_rfcs(second):
    at = datetime.fromtimestamp(second, UTC)
    counter = second // 30
    assert value_at(counter, KEY) == VECTORS[second][-6:]
    assert counter_of(VECTORS[second][-6:], KEY, at) == counter


@given(keys, instants, st.integers(-4, 4))
def test_a_value_is_good_in_its_period_and_the_one_before_and_after(key, at, steps):
    counter = int(at.timestamp() // 30)
    values = {n: value_at(counter + n, key) for n in range(-1, 2)}
    value = value_at(counter + steps, key)
    found = counter_of(value, key, at)
    if abs(steps) <= 1:
        assert found is not None
        assert values[found - counter] == value
    else:
        # One in three hundred thousand meets a neighbour's value by chance.
        assert (found is None) == (value not in values.values())


@given(keys, keys, instants)
def test_another_passs_value_opens_nothing(key, other, at):
    counter = int(at.timestamp() // 30)
    mine = {value_at(counter + n, key) for n in range(-1, 2)}
    value = value_at(counter, other)
    assert (counter_of(value, key, at) is None) == (value not in mine)


@given(st.from_regex(r"\A[0-9]{4}-[0-9]{4}\Z"), st.from_regex(r"\A[0-9]{6}\Z"))
def test_what_the_pass_shows_is_read_again(number, value):
    code = f"{code_before_value(number)}{value}"
    assert read_pass_code(code) == PassCode(number, value)
    # Google's placeholder stands where the value will be.
    assert len(code) <= 16


NONE = [
    "",
    "T",
    "T1234567",
    "T12345678",
    "T1234567812345",
    "T123456781234567",
    "t12345678123456",
    "M12345678123456",
    "T1234567812345x",
    "T1234567812345６",
    "",
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_such_code_is_none(text):
    assert read_pass_code(text) is None


@pytest.mark.parametrize("value", ["", "1", "94287082", "x" * 6, "４２８７０８"])
def test_an_odd_value_is_of_no_period(value):
    assert counter_of(value, KEY, datetime.fromtimestamp(59, UTC)) is None


def test_a_picture_is_worth_nothing_after_a_minute_and_a_half():
    at = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    value = value_at(int(at.timestamp() // 30), KEY)
    last = at + 2 * PERIOD - timedelta(milliseconds=1)
    assert counter_of(value, KEY, last) is not None
    assert counter_of(value, KEY, at + 2 * PERIOD) is None
