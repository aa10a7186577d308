"""Who gains and who loses by a new design, and that an end is only ever put off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.redesign import at_new_goal, loses_reward
from core.rules.types import Design, Reward


def card(goal, *ats, **more):
    rewards = tuple(Reward(at=at, name=f"特典{at}") for at in ats)
    return Design(name="カード", goal=goal, rewards=rewards, **more)


@st.composite
def designs(draw):
    goal = draw(st.integers(1, 12))
    ats = draw(st.sets(st.integers(1, goal), max_size=4))
    return card(goal, *sorted(ats), next_program=draw(st.sampled_from([None, "gold"])))


balances = st.integers(0, 12)


def on(design, balance):
    return min(balance, design.goal)


def reached(balance, design, stamps):
    """How many rewards each further stamp has brought, counted one by one."""
    full, count, found = balance, 0, [0]
    for _ in range(stamps):
        if full == design.goal:
            if design.next_program:
                found.append(count)
                continue
            full = 0
        full += 1
        count += sum(reward.at == full for reward in design.rewards)
        found.append(count)
    return found


@given(designs(), balances)
def test_the_same_design_takes_nothing_away(design, balance):
    assert not loses_reward(on(design, balance), design, design)


@given(designs(), balances)
def test_another_name_and_validity_take_nothing_away(design, balance):
    renamed = tuple(
        replace(reward, name=f"新しい{reward.name}", valid="3m")
        for reward in design.rewards
    )

    assert not loses_reward(
        on(design, balance), design, replace(design, rewards=renamed)
    )


@given(designs(), balances, st.integers(1, 12))
def test_a_reward_more_takes_nothing_away(design, balance, at):
    at = on(design, at)
    rest = tuple(reward for reward in design.rewards if reward.at != at)
    more = replace(design, rewards=(*rest, Reward(at=at, name="もう1つ")))

    assert not loses_reward(on(design, balance), design, more)


@given(designs(), balances, st.data())
def test_taking_a_reward_off_is_a_loss_to_whom_it_is_still_ahead(design, balance, data):
    if not design.rewards:
        return
    gone = data.draw(st.sampled_from(design.rewards))
    rest = tuple(reward for reward in design.rewards if reward != gone)
    balance = on(design, balance)

    loses = loses_reward(balance, design, replace(design, rewards=rest))

    assert loses == (gone.at > balance)


@given(st.integers(2, 12), balances)
def test_a_raised_goal_is_a_loss_to_all_but_full_cards(goal, balance):
    old, new = card(goal, goal), card(goal + 1, goal + 1)
    balance = on(old, balance)

    assert loses_reward(balance, old, new) == (balance < goal)


@given(st.integers(2, 12), balances)
def test_a_lowered_goal_is_a_loss_to_nobody(goal, balance):
    old, new = card(goal, goal), card(goal - 1, goal - 1)

    assert not loses_reward(on(old, balance), old, new)


@given(designs(), designs(), balances)
def test_a_loss_is_a_stamp_after_which_there_would_have_been_more(old, new, balance):
    balance = on(old, balance)
    moved = at_new_goal(balance, old, new)
    still = old.goal - balance
    before = reached(balance, old, still)
    after = [len(moved.earned) + n for n in reached(moved.balance, new, still)]

    loses = any(then < had for had, then in zip(before, after, strict=True))
    assert loses_reward(balance, old, new) == loses


@pytest.mark.parametrize(
    ("balance", "loses"), [(2, False), (4, True), (5, False), (9, False), (10, False)]
)
def test_a_reward_that_moves_nearer_the_start_is_lost_by_those_in_between(
    balance, loses
):
    assert loses_reward(balance, card(10, 5, 10), card(10, 3, 10)) is loses


def test_rewards_that_change_places_lose_nobody_a_reward():
    cookie, coffee = Reward(at=5, name="クッキー"), Reward(at=10, name="コーヒー")
    old = Design(name="カード", goal=10, rewards=(cookie, coffee))
    new = replace(old, rewards=(replace(coffee, at=5), replace(cookie, at=10)))

    assert not any(loses_reward(balance, old, new) for balance in range(11))
