"""Where stamps take a card whatever its limits say: expiry, promises, remainder."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from core.rules.asking import Refused
from core.rules.collecting import Place, plan_stamps, room_on
from core.rules.types import Expiry, Reward, Why
from tests.builders import coffee
from tests.rules.test_granting import NOW, facts

SIX_MONTHS = Expiry(kind="after_last", months=6)
ONE_MONTH = Expiry(kind="after_last", months=1)
OVER = Expiry(kind="on", on=NOW.date() - timedelta(days=1))


ENDLESS = (Expiry(),)


def place(*, promises=ENDLESS, design=None, **changes):
    return Place(
        card=replace(facts().card, **changes),
        design=design or coffee(expires=promises[-1]),
        promises=promises,
        zone=ZoneInfo("Asia/Tokyo"),
        day_starts_at=5,
        now=NOW,
    )


def written(plan):
    return [(s.kind, s.stamps, s.balance, s.remainder) for s in plan.steps]


def test_stamps_that_have_expired_are_taken_off_before_the_new_one_counts():
    spot = place(promises=(ONE_MONTH, SIX_MONTHS), expires_at=NOW, remainder=70)

    plan = plan_stamps(spot, 1, remainder=30)

    assert written(plan) == [("expiry", -3, 0, -70), ("stamp", 1, 1, 30)]
    assert (plan.first_stamp_at, plan.remainder, plan.begins) == (NOW, 30, True)
    assert plan.expires_at > NOW + timedelta(days=150)


def test_what_the_clock_has_ended_already_is_not_ended_twice():
    spot = place(promises=(SIX_MONTHS,), balance=0, first_stamp_at=None, expires_at=NOW)

    assert written(plan_stamps(spot, 1)) == [("stamp", 1, 1, 0)]


def test_a_shorter_expiry_takes_no_time_from_a_card_that_was_promised_more():
    both = plan_stamps(place(promises=(SIX_MONTHS, ONE_MONTH)), 1).expires_at
    long = plan_stamps(place(promises=(SIX_MONTHS,)), 1).expires_at
    endless = plan_stamps(place(promises=(Expiry(), ONE_MONTH)), 1).expires_at

    assert (both, endless) == (long, None)
    assert plan_stamps(place(promises=(ONE_MONTH,)), 1).expires_at < long


def test_what_was_lengthened_by_hand_stays_so():
    far = NOW + timedelta(days=300)

    assert (
        far == plan_stamps(place(promises=(ONE_MONTH,), extended_to=far), 1).expires_at
    )


def test_after_a_fixed_last_day_no_stamp_is_given_that_would_be_gone_at_once():
    spot = place(promises=(OVER,), expires_at=NOW - timedelta(hours=9))

    assert Refused(why=Why.expired_card, card_id=spot.card.id) == plan_stamps(spot, 1)
    # A card that was promised more is not cut short.
    assert plan_stamps(place(promises=(Expiry(), OVER)), 1).expires_at is None


def test_a_purchase_that_is_worth_no_stamp_yet_is_no_use_of_the_card():
    spot = place(promises=(SIX_MONTHS,), balance=0, first_stamp_at=None)

    plan = plan_stamps(spot, 0, remainder=300)

    assert written(plan) == [("stamp", 0, 0, 300)]
    assert (plan.first_stamp_at, plan.last_stamp_at, plan.expires_at) == (None,) * 3
    assert plan.remainder == 300


def test_nor_does_it_begin_the_next_round_of_a_full_card():
    plan = plan_stamps(place(balance=10), 0, remainder=300)

    assert written(plan) == [("stamp", 0, 10, 300)]


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 120), st.booleans())
def test_every_stamp_is_somewhere(goal, balance, stamps, expired):
    design = coffee(goal=goal, rewards=(Reward(at=goal, name="x"),))
    balance = min(balance, goal)
    spot = place(design=design, balance=balance, expires_at=NOW if expired else None)

    plan = plan_stamps(spot, stamps)

    assert sum(step.stamps for step in plan.steps) == plan.advance.balance - balance
    assert 1 <= plan.advance.balance <= goal
    room = room_on(spot)
    assert (plan.advance.completions > 0) == (stamps >= (room or goal))
    assert len(plan.advance.earned) == plan.advance.completions
