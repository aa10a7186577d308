"""A paper card comes over once, whatever the limits say."""

from __future__ import annotations

import asyncio

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.giving import Gave
from core.actions.paper import migrate_paper
from core.errors import Invalid
from core.rules.asking import Refused
from core.rules.types import Reward, Why
from core.store.cards import lock_card, update_card
from core.store.customers import update_customer
from tests.actions.people import People, open_people
from tests.builders import build_shop, coffee


class Counter(People):
    """Where paper cards are handed over."""

    async def migrate(self, card_id, stamps=7, by="clerk", key=None, **more):
        return await self.db.write(
            migrate_paper,
            merchant_id=self.merchant_id,
            card_id=card_id,
            stamps=stamps,
            by=await self.staff(by),
            key=key or self.key(),
            now=self.clock.now(),
            **more,
        )


@pytest.fixture
async def counter(db, vault, clock):
    people = await open_people(db, vault, clock)
    return Counter(db, people.shop, clock)


async def test_the_stamps_of_the_paper_card_are_on_the_card(counter):
    card_id = await counter.join()
    await counter.stamp(card_id)

    gave = await counter.migrate(card_id, 7, reason="青い紙のカード")

    assert isinstance(gave, Gave)
    last = (await counter.entries(card_id))[-1]
    assert (last.kind, last.how, last.stamps, last.balance) == ("adjust", "paper", 7, 8)
    assert (last.reason, last.staff_id) == (
        "青い紙のカード",
        (await counter.staff("clerk")).id,
    )
    [row] = await counter.log("paper.migrated")
    assert (row.subject, row.detail["stamps"]) == (card_id, 7)


async def test_it_does_not_use_up_the_stamp_of_today(counter):
    card_id = await counter.join()
    await counter.migrate(card_id)

    await counter.stamp(card_id)

    assert await counter.balance(card_id) == 8


async def test_once_for_a_customer(counter, clock):
    card_id = await counter.join()
    await counter.migrate(card_id)
    clock.move(days=400)

    again = await counter.migrate(card_id, 3, by="owner")

    assert Refused(why=Why.already_migrated, card_id=card_id) == again
    assert await counter.balance(card_id) == 7


async def test_once_for_a_customer_whatever_their_cards(db, vault, clock):
    shop = await build_shop(db, vault, clock.now())
    file = MerchantFile(
        merchant={"key": "aozora"}, programs=(("tea", coffee(name="紅茶カード")),)
    )
    await db.write(apply_merchant, file, {}, clock.now())
    counter = Counter(db, shop, clock)
    cards = await counter.join_all()

    outcomes = await asyncio.gather(
        *(counter.migrate(card_id) for card_id in cards for _ in range(3))
    )

    assert sum(isinstance(outcome, Gave) for outcome in outcomes) == 1
    assert {Why.already_migrated} == {o.why for o in outcomes if isinstance(o, Refused)}
    assert sum([await counter.balance(card_id) for card_id in cards]) == 7


async def test_each_customer_has_their_own_paper_card(counter):
    for number in (1, 2):
        card_id = await counter.join(number)
        assert isinstance(await counter.migrate(card_id), Gave)


async def test_who_was_linked_brings_one_paper_card_in_all(counter, clock):
    wallet, line = await counter.join(1), await counter.join(2)
    assert isinstance(await counter.migrate(wallet), Gave)
    await counter.db.write(
        update_customer,
        counter.merchant_id,
        await counter.customer_id(1),
        merged_into=await counter.customer_id(2),
    )

    assert Why.already_migrated == (await counter.migrate(line)).why


async def test_a_tap_that_is_sent_twice_counts_once(counter):
    card_id = await counter.join()

    first = await counter.migrate(card_id, key="tap")

    assert first == await counter.migrate(card_id, key="tap")
    assert await counter.balance(card_id) == 7
    with pytest.raises(Invalid, match="key"):
        await counter.migrate(card_id, 8, key="tap")


async def test_it_may_fill_the_card_and_begin_the_next(db, vault, clock):
    rewards = (Reward(at=3, name="クッキー"), Reward(at=5, name="コーヒー1杯"))
    people = await open_people(db, vault, clock, goal=5, rewards=rewards)
    counter = Counter(db, people.shop, clock)
    card_id = await counter.join()

    gave = await counter.migrate(card_id, 9)

    assert gave.completed
    card = await counter.card(card_id)
    assert (card.balance, card.cycle, card.total) == (4, 1, 9)
    assert sorted(await counter.vouchers(card_id)) == [
        "クッキー",
        "クッキー",
        "コーヒー1杯",
    ]


@pytest.mark.parametrize("stamps", [0, -1, 51])
async def test_one_to_fifty_stamps(counter, stamps):
    card_id = await counter.join()

    with pytest.raises(Invalid, match="stamps"):
        await counter.migrate(card_id, stamps)


@pytest.mark.parametrize("stamps", [1, 50])
async def test_one_and_fifty_stamps_are_taken(counter, stamps):
    card_id = await counter.join()

    assert stamps == (await counter.migrate(card_id, stamps)).stamps
    assert (await counter.card(card_id)).total == stamps


async def test_who_may_only_look_may_not(counter):
    card_id = await counter.join()

    refused = await counter.migrate(card_id, by="viewer")

    assert Refused(why=Why.not_allowed, card_id=card_id) == refused
    assert await counter.entries(card_id) == []


async def test_a_card_that_takes_nothing_leaves_the_paper_card_for_later(counter):
    card_id = await counter.join()

    async def put(state):
        await counter.db.write(
            lambda tx: update_card(
                tx, lock_card(tx, counter.merchant_id, card_id), state=state
            )
        )

    await put("stopped")
    assert Why.card_stopped == (await counter.migrate(card_id)).why
    await put("active")
    assert isinstance(await counter.migrate(card_id), Gave)


async def test_there_is_no_such_card(counter, vault, clock):
    other = await build_shop(
        counter.db, vault, clock.now(), key="other", api_key="sk_of_another"
    )
    theirs = People(counter.db, other, clock)
    card_id = await theirs.join()

    assert Why.no_such_card == (await counter.migrate(card_id)).why
    assert Why.no_such_card == (await counter.migrate("nothing")).why
