"""When a stamp is refused, and from when on it would not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.asking import Refused
from core.rules.granting import GrantFacts, Worth, decide_grant
from core.rules.types import (
    Card,
    CardId,
    DoubleHours,
    Limit,
    Spend,
    Why,
)
from tests.builders import coffee

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def facts(**changes):
    card = Card(
        id=CardId("c"),
        merchant_id="m",
        program_id="p",
        customer_id="u",
        version=1,
        state="active",
        balance=3,
        cycle=0,
        total=3,
        revision=1,
        code="X",
        issued_at=NOW,
        first_stamp_at=NOW - timedelta(days=9),
        last_stamp_at=None,
        expires_at=None,
    )
    values = {
        "card": card,
        "design": coffee(limit=Limit()),
        "program": "active",
        "stamps": 1,
        "recent": (),
        "zone": ZoneInfo("Asia/Tokyo"),
        "day_starts_at": 5,
        "now": NOW,
    }
    return GrantFacts(**(values | changes))


@given(
    st.one_of(
        st.just(Limit(kind="day")),
        st.integers(1, 72).map(lambda n: Limit(kind="hours", n=n)),
        st.integers(1, 5).map(lambda n: Limit(kind="per_day", n=n)),
    ),
    st.lists(st.integers(0, 72 * 3600), max_size=6),
)
def test_a_refusal_names_the_instant_from_which_it_would_succeed(limit, ages):
    recent = sorted((NOW - timedelta(seconds=age), 1) for age in ages)
    given_facts = facts(design=coffee(limit=limit), recent=recent)

    outcome = decide_grant(given_facts)

    if isinstance(outcome, Refused):
        assert outcome.retry_at > NOW
        later = decide_grant(replace(given_facts, now=outcome.retry_at))
        assert isinstance(later, Worth)
        just_before = outcome.retry_at - timedelta(seconds=1)
        assert isinstance(decide_grant(replace(given_facts, now=just_before)), Refused)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"program": "paused"}, Why.program_paused),
        ({"program": "archived"}, Why.card_stopped),
        ({"card": replace(facts().card, state="stopped")}, Why.card_stopped),
    ],
)
def test_a_card_that_takes_no_stamps_says_so(change, why):
    assert why == decide_grant(facts(**change)).why


@given(
    st.lists(st.tuples(st.integers(0, 72 * 3600), st.integers(1, 5)), max_size=6),
    st.integers(1, 9),
    st.integers(1, 72),
)
def test_of_two_limits_the_longer_one_says_when(ages, cap, hours):
    recent = [(NOW - timedelta(seconds=age), n) for age, n in sorted(ages)[::-1]]
    limits = coffee(limit=Limit(kind="hours", n=hours), day_cap=cap)
    given_facts = facts(design=limits, recent=recent)

    outcome = decide_grant(given_facts)

    if isinstance(outcome, Refused):
        assert outcome.retry_at > NOW
        later = decide_grant(replace(given_facts, now=outcome.retry_at))
        assert isinstance(later, Worth)
        just_before = outcome.retry_at - timedelta(seconds=1)
        assert isinstance(decide_grant(replace(given_facts, now=just_before)), Refused)
    else:
        assert 1 <= outcome.stamps <= cap


def test_the_daily_cap_gives_what_is_left_of_it():
    design = coffee(limit=Limit(), day_cap=5)
    earlier = [(NOW - timedelta(hours=1), 3), (NOW - timedelta(days=1), 5)]

    worth = decide_grant(facts(design=design, recent=earlier, stamps=4))

    assert Worth(stamps=2) == worth


def test_an_amount_is_worth_a_stamp_for_each_so_much_and_keeps_the_rest():
    design = coffee(limit=Limit(), spend=Spend(per=500, minimum=300))
    card = replace(facts().card, remainder=200)

    def buy(amount, **changes):
        return decide_grant(facts(card=card, design=design, amount=amount, **changes))

    assert Worth(stamps=1, remainder=-200) == buy(300)
    assert Worth(stamps=2, remainder=-50) == buy(950)
    assert Refused(why=Why.below_minimum, card_id=card.id) == buy(299)
    expired = replace(card, expires_at=NOW)
    assert Worth(stamps=0, remainder=300) == decide_grant(
        facts(card=expired, design=design, amount=300)
    )


def test_double_hours_double_and_say_so():
    happy = DoubleHours(days=(0,), start=15 * 60, end=16 * 60)  # Monday in Tokyo
    design = coffee(limit=Limit(), double_hours=(happy,), spend=Spend(per=500))

    assert Worth(stamps=6, doubled=True) == decide_grant(facts(design=design, stamps=3))
    late = NOW + timedelta(hours=1)
    assert Worth(stamps=3) == decide_grant(facts(design=design, stamps=3, now=late))
    # What is worth no stamp yet is no stamp twice either.
    small = decide_grant(facts(design=design, amount=400))
    assert Worth(stamps=0, remainder=400) == small
