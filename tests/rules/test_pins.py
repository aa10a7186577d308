"""Which PINs are too simple, and how long somebody waits who keeps guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.pins import (
    AT_A_DEVICE,
    LONGEST,
    ON_A_PHONE,
    ON_ALL_PHONES,
    SHORTEST,
    pin_problem,
    read_pin,
)

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
PATIENCES = [AT_A_DEVICE, ON_A_PHONE, ON_ALL_PHONES]

digits = st.text("0123456789", min_size=SHORTEST, max_size=LONGEST)


@pytest.mark.parametrize(
    ("pin", "problem"),
    [
        ("4071", None),
        ("50937", None),
        ("864209", None),
        ("407", "length"),
        ("4071234", "length"),
        ("40a1", "length"),
        ("٤٠٧١", "length"),
        ("", "length"),
        ("0000", "same"),
        ("999999", "same"),
        ("0123", "row"),
        ("7890", "row"),
        ("3210", "row"),
        ("098765", "row"),
        ("2580", "row"),
        ("1212", "pairs"),
        ("909090", "pairs"),
        ("12121", None),
    ],
)
def test_what_everybody_tries_first_is_no_pin(pin, problem):
    assert pin_problem(pin) == problem


@given(digits)
def test_hardly_a_pin_is_refused_and_always_by_its_look(pin):
    if pin_problem(pin) is None:
        assert len(set(pin)) > 1
        steps = {int(b) - int(a) for a, b in pairwise(pin)}
        assert steps not in ({1}, {-1})


def test_of_four_digits_nearly_all_are_left_to_choose_from():
    free = [n for n in range(10_000) if pin_problem(f"{n:04}") is None]
    assert len(free) > 9_800


@given(digits, st.sampled_from(["", " ", "\u3000"]))
def test_full_width_digits_and_spaces_are_the_same_pin(pin, gap):
    wide = gap.join(chr(ord(c) + 0xFEE0) for c in pin)
    assert read_pin(wide) == read_pin(f" {pin} ") == pin


@given(st.text())
def test_whatever_is_typed_becomes_digits_or_nothing(text):
    pin = read_pin(text)
    assert pin == "" or (pin.isascii() and pin.isdecimal())


@pytest.mark.parametrize("patience", PATIENCES)
@given(n=st.integers(0, 10_000))
def test_waits_grow_and_never_beyond_their_longest(patience, n):
    wait, next_wait = patience.wait_after(n), patience.wait_after(n + 1)
    assert wait <= next_wait <= patience.longest
    assert (wait == timedelta(0)) == (n <= patience.free)
    if n > patience.free:
        assert wait >= patience.first


@pytest.mark.parametrize("patience", PATIENCES)
@given(
    failures=st.integers(0, 500),
    one=st.timedeltas(timedelta(days=-1), timedelta(days=30)),
    two=st.timedeltas(timedelta(days=-1), timedelta(days=30)),
)
def test_time_forgives_and_nothing_else(patience, failures, one, two):
    sooner, later = sorted((one, two))
    first = patience.remembered(failures, NOW, NOW + sooner)
    second = patience.remembered(failures, NOW, NOW + later)
    assert 0 <= second <= first <= failures
    assert patience.remembered(failures, NOW, NOW + failures * patience.forgives) == 0


@pytest.mark.parametrize(
    ("patience", "most"),
    [(AT_A_DEVICE, 220), (ON_A_PHONE, 60), (ON_ALL_PHONES, 50)],
)
def test_how_many_guesses_a_day_leaves_to_who_never_stops(patience, most):
    now, failures, failed_at, guesses = NOW, 0, NOW, 0
    while now < NOW + timedelta(days=1):
        failures = 1 + patience.remembered(failures, failed_at, now)
        guesses, failed_at = guesses + 1, now
        now += patience.wait_after(failures) or timedelta(seconds=1)
    assert guesses <= most
