"""Stamps on a card: for every goal and every number of stamps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.rules.cycle import advance
from core.rules.redesign import at_new_goal
from core.rules.types import Reward
from tests.builders import coffee


@st.composite
def cards(draw):
    goal = draw(st.integers(1, 50))
    ats = draw(st.sets(st.integers(1, goal), max_size=5)) | {goal}
    design = coffee(goal=goal, rewards=tuple(Reward(at=at, name="x") for at in ats))
    return design, draw(st.integers(0, goal))


@given(cards(), st.integers(1, 200))
def test_the_balance_is_the_sum_of_the_entries_and_stays_on_the_card(card, stamps):
    design, balance = card
    moved = advance(balance, stamps, design)

    assert moved.balance == balance + sum(step.stamps for step in moved.steps)
    assert 1 <= moved.balance <= design.goal
    running = balance
    for step in moved.steps:
        running += step.stamps
        assert step.balance == running


@given(cards(), st.integers(1, 60))
def test_stamps_at_once_earn_what_the_same_stamps_one_by_one_earn(card, stamps):
    design, balance = card
    at_once = advance(balance, stamps, design)
    earned, completions, here = [], 0, balance
    for _ in range(stamps):
        one = advance(here, 1, design)
        earned += one.earned
        completions += one.completions
        here = one.balance

    assert (at_once.balance, at_once.completions) == (here, completions)
    assert list(at_once.earned) == earned


@given(cards(), st.integers(1, 50))
def test_a_new_goal_strands_nobody(card, goal):
    old, balance = card
    new = coffee(goal=goal, rewards=(Reward(at=goal, name="y"),))
    moved = at_new_goal(balance, old, new)

    assert moved.balance == balance + sum(step.stamps for step in moved.steps)
    assert 0 <= moved.balance <= goal
    assert len(moved.earned) == moved.completions
