"""What the clock ends is written down once, and passes hear of it without a stamp."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from core.actions.cards import load_card
from core.actions.expire import expire_due
from core.actions.giving import give_stamps
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.merchants import load_merchant
from core.actions.outbox import deliver_done, take_deliveries
from core.actions.passes import hold_pass, load_pass
from core.actions.redemptions import ask_redemption, load_redemption
from core.rules.asking import Granted, StampAsk
from core.rules.types import Expiry, Limit, Reward, Spend
from core.store.cards import lock_card, update_card
from core.store.tables import journal
from core.store.tables import redemption as redemption_table
from tests.actions.test_undo import Counter
from tests.builders import build_shop, coffee, person

MONTH = Expiry(kind="after_last", months=1)


class Shop(Counter):
    """A shop, its customers, and the hand of the clock."""

    async def join(self, number=1):
        [card_id] = await self.db.write(
            follow,
            self.shop.merchant.id,
            person(number),
            f"f{number}",
            self.clock.now(),
        )
        return card_id

    async def stamp(self, card_id, stamps=1, amount=None):
        ask = StampAsk(
            merchant_id=self.shop.merchant.id,
            key=self.key(),
            how="api",
            card_id=card_id,
            stamps=stamps,
            amount=amount,
        )
        outcome = await self.db.write(grant_stamps, ask, self.clock.now())
        assert isinstance(outcome, Granted), outcome
        return outcome

    async def expire(self, limit=200):
        return await self.db.write(expire_due, self.clock.now(), limit)

    async def kinds(self, card_id):
        return [
            (e.kind, e.stamps, e.balance, e.remainder)
            for e in await self.entries(card_id)
        ]

    async def lines(self):
        def read(tx):
            mine = journal.c.actor == "clock"
            return list(tx.execute(select(journal.c.action).where(mine)).scalars())

        return await self.db.read(read)

    async def change(self, card_id, **values):
        def write(tx):
            held = lock_card(tx, self.shop.merchant.id, card_id, own=True)
            update_card(tx, held, **values)

        await self.db.write(write)


async def opened(db, vault, clock, **design):
    values = {"limit": Limit(), "expires": MONTH} | design
    shop = await build_shop(db, vault, clock.now(), design=coffee(**values))
    return Shop(db, shop, clock)


async def test_a_cards_stamps_go_when_its_day_is_over(db, vault, clock):
    desk = await opened(db, vault, clock)
    card_id = await desk.join()
    await desk.stamp(card_id, 4)
    ends = (await desk.card(card_id)).expires_at
    clock.at = ends - timedelta(seconds=1)
    assert await desk.expire() == 0
    clock.at = ends

    assert await desk.expire() == 1
    assert await desk.expire() == 0

    assert await desk.kinds(card_id) == [("stamp", 4, 4, 0), ("expiry", -4, 0, 0)]
    last = (await desk.entries(card_id))[-1]
    assert (last.how, last.at) == ("rule", ends)
    view = await desk.view(card_id)
    assert (view.face.state, view.face.balance) == ("expired", 0)
    assert (view.card.expires_at, view.card.first_stamp_at) == (ends, None)
    assert await desk.lines() == ["card.expired"]


async def test_the_next_stamp_begins_anew_without_a_second_line(db, vault, clock):
    desk = await opened(db, vault, clock)
    card_id = await desk.join()
    await desk.stamp(card_id, 4)
    clock.move(days=60)
    await desk.expire()
    clock.move(days=1)

    await desk.stamp(card_id, 2)

    assert await desk.kinds(card_id) == [
        ("stamp", 4, 4, 0),
        ("expiry", -4, 0, 0),
        ("stamp", 2, 2, 0),
    ]
    view = await desk.view(card_id)
    assert (view.face.state, view.card.first_stamp_at) == ("active", clock.now())
    assert view.card.expires_at > clock.now()
    assert await desk.expire() == 0


@pytest.mark.parametrize("spend", [None, Spend(per=500)])
async def test_it_comes_to_the_same_whether_the_job_or_the_next_stamp_was_first(
    db, vault, clock, spend
):
    desk = await opened(db, vault, clock, bonus=1, spend=spend)
    cards = [await desk.join(number) for number in (1, 2)]
    first, second = (None, None) if spend is None else (1700, 800)
    for card_id in cards:
        await desk.stamp(card_id, 3, amount=first)
    clock.move(days=60)
    # One of the two: the other one's end is left to its next stamp.
    assert await desk.expire(1) == 1
    assert [(await desk.card(card_id)).balance for card_id in cards] == [0, 4]
    clock.move(days=1)

    for card_id in cards:
        await desk.stamp(card_id, 2, amount=second)

    by_job, by_stamp = [await desk.kinds(card_id) for card_id in cards]
    assert by_job == by_stamp
    by_job, by_stamp = [
        replace(await desk.card(card_id), id="", customer_id="", code="", revision=0)
        for card_id in cards
    ]
    assert by_job == by_stamp


async def test_what_was_paid_towards_a_stamp_goes_with_the_stamps(db, vault, clock):
    desk = await opened(db, vault, clock, spend=Spend(per=500))
    card_id = await desk.join()
    await desk.stamp(card_id, amount=1300)
    assert (await desk.card(card_id)).remainder == 300
    clock.move(days=60)

    await desk.expire()

    assert (await desk.kinds(card_id))[-1] == ("expiry", -2, 0, -300)
    assert (await desk.card(card_id)).remainder == 0


async def test_what_was_promised_and_lengthened_ends_with_the_stamps(db, vault, clock):
    desk = await opened(db, vault, clock)
    card_id = await desk.join()
    await desk.stamp(card_id)
    two_months = Expiry(kind="after_last", months=2)
    await desk.publish(coffee(limit=Limit(), expires=two_months))
    ends = clock.now() + timedelta(days=90)
    await desk.change(card_id, extended_to=ends, expires_at=ends)
    clock.move(days=91)

    await desk.expire()

    card = await desk.card(card_id)
    assert (card.promise_from, card.version, card.extended_to) == (2, 2, None)


async def test_a_card_without_a_stamp_has_nothing_that_could_end(db, vault, clock):
    last = clock.now().date() + timedelta(days=3)
    desk = await opened(db, vault, clock, expires=Expiry(kind="on", on=last))
    card_id = await desk.join()
    clock.move(days=10)

    assert await desk.expire() == 0
    assert (await desk.view(card_id)).face.state == "expired"
    assert await desk.entries(card_id) == []


async def test_cards_that_another_one_stands_for_are_left_alone(db, vault, clock):
    desk = await opened(db, vault, clock)
    linked, onward, other = [await desk.join(number) for number in (1, 2, 3)]
    for card_id in (linked, onward):
        await desk.stamp(card_id, 4)
    await desk.change(linked, merged_into=other)
    await desk.change(onward, next_card_id=other)
    clock.move(days=60)

    assert await desk.expire() == 0


async def test_a_card_that_is_used_again_just_before_is_not_ended(db, vault, clock):
    desk = await opened(db, vault, clock)
    card_id = await desk.join()
    await desk.stamp(card_id, 4)
    clock.at = (await desk.card(card_id)).expires_at - timedelta(seconds=1)
    await desk.stamp(card_id)
    clock.move(seconds=2)

    assert await desk.expire() == 0
    assert (await desk.card(card_id)).balance == 5


async def test_stamps_and_the_clock_at_once_leave_one_line_and_true_balances(
    db, vault, clock
):
    desk = await opened(db, vault, clock)
    cards = [await desk.join(number) for number in range(8)]
    for card_id in cards:
        await desk.stamp(card_id, 4)
    clock.move(days=60)

    await asyncio.gather(
        *(desk.stamp(card_id) for card_id in cards), *(desk.expire(5) for _ in range(4))
    )

    for card_id in cards:
        assert await desk.kinds(card_id) == [
            ("stamp", 4, 4, 0),
            ("expiry", -4, 0, 0),
            ("stamp", 1, 1, 0),
        ]


async def test_many_are_ended_in_batches_until_none_is_left(db, vault, clock):
    reward = Reward(at=10, name="コーヒー", valid="1m")
    desk = await opened(db, vault, clock, rewards=(reward,))
    cards = [await desk.join(number) for number in range(5)]
    for card_id in cards:
        await desk.stamp(card_id, 12)
    clock.move(days=60)

    counts = [await desk.expire(3) for _ in range(5)]

    assert counts == [3, 3, 3, 1, 0]
    assert sorted(await desk.lines()) == ["card.expired"] * 5 + ["voucher.expired"] * 5


async def test_a_voucher_that_was_not_used_in_time_has_expired(db, vault, clock):
    reward = Reward(at=2, name="コーヒー", valid="10d")
    desk = await opened(db, vault, clock, goal=2, rewards=(reward,), expires=Expiry())
    card_id = await desk.join()
    grant = await desk.stamp(card_id, 2)
    [voucher_id] = grant.vouchers
    clock.at = (await desk.voucher(voucher_id)).expires_at - timedelta(seconds=1)
    assert await desk.expire() == 0
    before = (await desk.card(card_id)).revision
    clock.move(seconds=1)

    assert await desk.expire() == 1

    assert (await desk.voucher(voucher_id)).state == "expired"
    card = await desk.card(card_id)
    assert (card.balance, card.revision) == (2, before + 1)
    assert await desk.lines() == ["voucher.expired"]


async def test_a_used_voucher_does_not_expire(db, vault, clock):
    reward = Reward(at=2, name="コーヒー", valid="10d")
    desk = await opened(db, vault, clock, goal=2, rewards=(reward,), expires=Expiry())
    grant = await desk.stamp(await desk.join(), 2)
    await desk.redeem(grant.vouchers[0])
    clock.move(days=30)

    assert await desk.expire() == 0
    assert (await desk.voucher(grant.vouchers[0])).state == "redeemed"


async def test_a_request_that_waited_too_long_is_written_down_as_expired(
    db, vault, clock
):
    desk = await opened(db, vault, clock, goal=2, rewards=(Reward(at=2, name="茶"),))
    card_id = await desk.join()
    grant = await desk.stamp(card_id, 2)
    asked = await db.write(
        ask_redemption,
        merchant_id=desk.shop.merchant.id,
        voucher_id=grant.vouchers[0],
        customer_id=(await desk.card(card_id)).customer_id,
        key="ask",
        now=clock.now(),
    )
    clock.move(minutes=5)

    assert await desk.expire() == 1

    def states(tx):
        return list(tx.execute(select(redemption_table.c.state)).scalars())

    assert await db.read(states) == ["expired"]
    found = await db.read(load_redemption, desk.shop.merchant.id, asked.id, clock.now())
    assert (found.state, found.decided_at) == ("expired", clock.now())


async def test_the_passes_of_what_ended_hear_of_it(db, vault, clock):
    reward = Reward(at=2, name="コーヒー", valid="3m")
    desk = await opened(db, vault, clock, goal=5, rewards=(reward,))
    merchant_id = desk.shop.merchant.id
    card_id = await desk.join()
    await desk.stamp(card_id, 3)
    held = await db.write(hold_pass, merchant_id, card_id, "apple", clock.now())

    for days, state, vouchers in ((60, "expired", 1), (60, "expired", 0)):
        clock.move(days=days)
        with db.watch({f"pass:{held.id}"}) as watch:
            assert await desk.expire() == 1
            assert await watch.wait(5)
        [due] = await db.write(take_deliveries, 10, 60, clock.now())
        assert due.topic == f"pass:{held.id}"
        await db.write(deliver_done, due, clock.now())
        view = await db.read(load_pass, held.id, clock.now())
        assert view.held.changed_at >= int(clock.now().timestamp())
        assert (view.face.state, len(view.face.vouchers)) == (state, vouchers)


async def test_every_merchants_cards_end(db, vault, clock):
    desk = await opened(db, vault, clock)
    other = await build_shop(
        db,
        vault,
        clock.now(),
        key="umi",
        api_key="sk_other",
        design=coffee(expires=Expiry(kind="on", on=date(2026, 12, 1))),
    )
    far = Shop(db, other, clock)
    cards = [(desk, await desk.join()), (far, await far.join())]
    for at, card_id in cards:
        await at.stamp(card_id, 1)
    clock.move(days=60)

    assert await desk.expire() == 2
    for at, card_id in cards:
        view = await db.read(load_card, at.shop.merchant.id, card_id, clock.now())
        assert view.card.balance == 0


async def test_a_birthday_gift_after_the_end_begins_no_second_end(db, vault, clock):
    desk = await opened(db, vault, clock)
    card_id = await desk.join()
    await desk.stamp(card_id, 4)
    clock.move(days=60)
    await desk.expire()

    def give(tx):
        merchant = load_merchant(tx, desk.shop.merchant.id)
        held = lock_card(tx, merchant.id, card_id)
        now = clock.now()
        return give_stamps(tx, merchant, held, 2, kind="bonus", how="referral", now=now)

    await db.write(give)

    assert [kind for kind, *_ in await desk.kinds(card_id)] == [
        "stamp",
        "expiry",
        "bonus",
    ]
