"""The code of a 会員証 page: of one customer, for one minute and the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.member_codes import (
    SHOWN,
    is_good,
    member_code,
    number_in,
    seconds_left,
)
from core.rules.types import Customer, CustomerId, MerchantId

KEY = b"a key for tests only"
NOW = datetime(2026, 11, 23, 6, 0, 20, tzinfo=UTC)

numbers = st.from_regex(r"\A[0-9]{4}-[0-9]{4}\Z")
instants = st.integers(0, 2_000_000_000_000).map(
    lambda ms: NOW + timedelta(milliseconds=ms)
)


def customer(number="1234-5678", who="c1", merchant="m1") -> Customer:
    return Customer(
        id=CustomerId(who),
        merchant_id=MerchantId(merchant),
        member_no=number,
        line_user_id=None,
        name="",
        language="ja",
    )


@given(numbers, instants)
def test_a_code_is_sixteen_signs_and_names_its_number(number, now):
    code = member_code(customer(number), KEY, now)
    assert len(code) == 16
    assert code.isalnum()
    assert code.isupper()
    assert number_in(code) == number


@given(numbers, instants, st.floats(0, 119.9))
def test_it_is_good_while_it_is_shown_and_never_for_two_minutes(number, now, later):
    who = customer(number)
    code = member_code(who, KEY, now)
    until = seconds_left(now) + SHOWN.total_seconds()
    at = now + timedelta(seconds=later)
    # Not within a microsecond of the edge: instants are no finer.
    if abs(later - until) > 1e-4:
        assert is_good(code, who, KEY, at) is (later < until)
    assert not is_good(code, who, KEY, now + 2 * SHOWN)


@given(instants)
def test_a_code_of_the_time_to_come_is_not_good(now):
    who = customer()
    ahead = member_code(who, KEY, now + SHOWN)
    # By chance one in 34 thousand million is the same.
    if ahead != member_code(who, KEY, now):
        assert not is_good(ahead, who, KEY, now)


def test_it_changes_with_the_minute_the_customer_the_merchant_and_the_key():
    codes = {
        member_code(customer(), KEY, NOW),
        member_code(customer(), KEY, NOW + SHOWN),
        member_code(customer(who="c2"), KEY, NOW),
        member_code(customer(merchant="m2"), KEY, NOW),
        member_code(customer(), b"another key", NOW),
    }
    assert len(codes) == 5
    for other in (customer(who="c2"), customer(merchant="m2")):
        assert not is_good(member_code(customer(), KEY, NOW), other, KEY, NOW)
    assert not is_good(member_code(customer(), KEY, NOW), customer(), b"another", NOW)


def test_within_a_minute_it_stays_the_same():
    early, late = NOW.replace(second=0), NOW.replace(second=59)
    assert member_code(customer(), KEY, early) == member_code(customer(), KEY, late)
    assert (seconds_left(early), seconds_left(late)) == (60.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M12345678",
        "M12345678ABCDEF",
        "M12345678ABCDEFGH",
        "M12345678ABCDEFU",
        "M12345678ABCDEFI",
        "N12345678ABCDEFG",
        "M1234567AABCDEFG",
        "M１２３４５６７８ABCDEFG",
        "m12345678ABCDEFG",
        " M12345678ABCDEFG",
        "M12345678ABCDEFG\n",
        "0123456789ABC",
    ],
)
def test_what_is_no_member_code_names_nobody(text):
    assert number_in(text) is None


@given(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=7, max_size=7))
def test_nobody_guesses_the_letters(letters):
    code = f"M12345678{letters}"
    good = {member_code(customer(), KEY, NOW - ago * SHOWN) for ago in (0, 1)}
    assert is_good(code, customer(), KEY, NOW) is (code in good)
