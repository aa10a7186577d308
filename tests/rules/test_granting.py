"""When a stamp is refused, and from when on it would not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.asking import Refused
from core.rules.granting import GrantFacts, GrantPlan, decide_grant
from core.rules.types import (
    Card,
    CardId,
    Expiry,
    Limit,
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
    recent = sorted(NOW - timedelta(seconds=age) for age in ages)
    given_facts = facts(design=coffee(limit=limit), recent=recent)

    outcome = decide_grant(given_facts)

    if isinstance(outcome, Refused):
        assert outcome.retry_at > NOW
        later = decide_grant(replace(given_facts, now=outcome.retry_at))
        assert isinstance(later, GrantPlan)
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


def test_stamps_that_have_expired_are_taken_off_before_the_new_one_counts():
    card = replace(facts().card, expires_at=NOW)
    design = coffee(limit=Limit(), expires=Expiry(kind="after_last", months=6))

    plan = decide_grant(facts(card=card, design=design))

    assert [(step.kind, step.stamps, step.balance) for step in plan.steps] == [
        ("expiry", -3, 0),
        ("stamp", 1, 1),
    ]
    assert plan.first_stamp_at == NOW
    assert plan.expires_at > NOW


def test_a_shorter_expiry_takes_no_time_from_a_card_that_was_promised_more():
    promised = NOW + timedelta(days=300)
    card = replace(facts().card, expires_at=promised)
    design = coffee(limit=Limit(), expires=Expiry(kind="after_last", months=1))

    assert promised == decide_grant(facts(card=card, design=design)).expires_at


def test_an_endless_card_stays_endless_and_a_new_one_gets_the_new_expiry():
    design = coffee(limit=Limit(), expires=Expiry(kind="after_last", months=1))
    fresh = replace(facts().card, balance=0, first_stamp_at=None)

    assert decide_grant(facts(design=design)).expires_at is None
    assert decide_grant(facts(card=fresh, design=design)).expires_at > NOW


def test_after_a_fixed_last_day_no_stamp_is_given_that_would_be_gone_at_once():
    over = Expiry(kind="on", on=NOW.date() - timedelta(days=1))

    outcome = decide_grant(facts(design=coffee(limit=Limit(), expires=over)))
    assert isinstance(outcome, GrantPlan)  # an endless card is not cut short

    card = replace(facts().card, expires_at=NOW - timedelta(hours=9))
    outcome = decide_grant(facts(card=card, design=coffee(limit=Limit(), expires=over)))
    assert Refused(why=Why.expired_card, card_id=card.id) == outcome
