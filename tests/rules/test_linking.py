"""What was spent towards a stamp, put together and taken apart: no yen is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.rules.asking import Refused
from core.rules.linking import (
    Moved,
    add_money,
    decide_link,
    still_to_earn,
    take_money,
)
from core.rules.types import (
    CardId,
    Customer,
    CustomerId,
    EntryId,
    MerchantId,
    Reward,
    Why,
)
from tests.builders import coffee

PER = 500
amounts = st.integers(0, PER - 1)


def moved(remainder, extra):
    return Moved(
        from_card=CardId("theirs"),
        to_card=CardId("yours"),
        version=1,
        first_stamp_at=None,
        remainder=remainder,
        extra=EntryId("extra") if extra else None,
        per=PER,
    )


@given(yours=amounts, theirs=amounts)
def test_two_remainders_are_worth_the_same_together(yours, theirs):
    stamps, rest = add_money(yours, theirs, PER)

    assert stamps * PER + rest == yours + theirs
    assert 0 <= rest < PER


@given(yours=amounts, theirs=amounts)
def test_taken_apart_at_once_each_has_theirs_again(yours, theirs):
    stamps, rest = add_money(yours, theirs, PER)

    takes_stamp, change = take_money(moved(theirs, stamps), rest)

    assert rest + change == yours
    assert takes_stamp == (stamps == 1)


@given(yours=amounts, theirs=amounts, later=st.lists(st.integers(1, 2000), max_size=4))
def test_whatever_was_bought_since_no_remainder_is_out_of_range(yours, theirs, later):
    stamps, rest = add_money(yours, theirs, PER)
    bought, kept = divmod(rest + sum(later), PER)

    takes_stamp, change = take_money(moved(theirs, stamps), kept)

    assert 0 <= kept + change < PER
    # Only what went into a later stamp stays with that.
    worth = (stamps - takes_stamp + bought) * PER + kept + change
    assert worth >= yours + sum(later)
    assert worth - (yours + sum(later)) in range(theirs + 1)


def test_without_an_amount_rule_the_remainders_just_add_up():
    assert add_money(300, 400, 0) == (0, 700)


def test_rewards_on_the_way_are_had_already_but_never_the_goal():
    design = coffee(rewards=tuple(Reward(at=n, name=str(n)) for n in (3, 6, 10)))

    def left(passed):
        return [r.at for r in still_to_earn(design.rewards, design, passed)]

    assert (left(0), left(3), left(7)) == ([3, 6, 10], [6, 10], [10])
    # A card under a longer version may bring more than a goal has.
    assert left(12) == [10]


def customer(number, **more):
    values = {"member_no": str(number), "line_user_id": None, "name": ""}
    return Customer(
        id=CustomerId(str(number)),
        merchant_id=MerchantId("m"),
        language="ja",
        **(values | more),
    )


def test_no_circle_and_no_chain_can_come_about():
    one, other = customer(1), customer(2)
    assert decide_link(one, other) is None
    assert decide_link(one, one) == Refused(why=Why.same_person)
    for joins, stays in (
        (customer(1, merged_into="3"), other),
        (one, customer(2, merged_into="1")),
        (customer(1, line_user_id="U1"), other),
    ):
        assert decide_link(joins, stays) == Refused(why=Why.already_linked)
