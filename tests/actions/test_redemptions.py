"""A customer asks to use a voucher, staff confirm it; within five minutes, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.link import link_customers
from core.actions.redeem import load_voucher, redeem_voucher, undo_redeem
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    confirm_redemption,
    load_redemption,
    redemption_of_voucher,
    waiting_redemptions,
)
from core.errors import Invalid, NotFound
from core.rules.asking import Redeemed, Refused, StampAsk, Undone
from core.rules.linking import Linked
from core.rules.redeeming import Redemption
from core.rules.types import CustomerId, Limit, Reward, Why
from core.store.cards import lock_card, update_card
from core.store.tables import journal
from tests.actions.test_undo import Counter
from tests.builders import build_shop, coffee


class Till(Counter):
    """A counter whose customer has one voucher, good for a month."""

    async def open(self):
        grant = await self.grant(2)
        self.card_id, [self.voucher_id] = grant.card_id, grant.vouchers
        self.customer_id = (await self.card(self.card_id)).customer_id
        return self

    @property
    def merchant_id(self):
        return self.shop.merchant.id

    async def ask(self, key=None, **more):
        values = {"voucher_id": self.voucher_id, "customer_id": self.customer_id}
        return await self.db.write(
            ask_redemption,
            merchant_id=self.merchant_id,
            key=key or self.key(),
            now=self.clock.now(),
            **(values | more),
        )

    async def confirm(self, asked, by="clerk", key=None, **more):
        return await self.db.write(
            confirm_redemption,
            merchant_id=self.merchant_id,
            redemption_id=asked.id,
            by=None if by is None else await self.staff(by),
            key=key or self.key(),
            now=self.clock.now(),
            **more,
        )

    async def cancel(self, asked, by=None, **more):
        return await self.db.write(
            cancel_redemption,
            merchant_id=self.merchant_id,
            redemption_id=asked.id,
            by=None if by is None else await self.staff(by),
            now=self.clock.now(),
            **more,
        )

    async def use(self, fn=redeem_voucher):
        return await self.db.write(
            fn,
            merchant_id=self.merchant_id,
            voucher_id=self.voucher_id,
            by=await self.staff("clerk"),
            key=self.key(),
            now=self.clock.now(),
        )

    async def state(self, asked):
        found = await self.db.read(
            load_redemption, self.merchant_id, asked.id, self.clock.now()
        )
        return found.state

    async def waiting(self):
        now = self.clock.now()
        return await self.db.read(waiting_redemptions, self.merchant_id, now)


@pytest.fixture
async def till(db, vault, clock):
    design = coffee(
        goal=2, limit=Limit(), rewards=(Reward(at=2, name="コーヒー", valid="1m"),)
    )
    shop = await build_shop(db, vault, clock.now(), design=design)
    return await Till(db, shop, clock).open()


async def test_a_request_waits_at_the_till_with_who_and_what(till, clock):
    asked = await till.ask(shop_id=till.shop.shop.id)

    assert isinstance(asked, Redemption)
    assert (asked.state, asked.expires_at) == (
        "waiting",
        clock.now() + timedelta(minutes=5),
    )
    [waiting] = await till.waiting()
    assert waiting.redemption == asked
    assert (waiting.voucher.id, waiting.voucher.name) == (till.voucher_id, "コーヒー")
    assert (waiting.card.id, waiting.customer.name) == (till.card_id, "花子")


async def test_confirming_uses_the_voucher_up(till, clock):
    asked = await till.ask(shop_id=till.shop.shop.id)
    clock.move(minutes=4)

    outcome = await till.confirm(asked)

    assert isinstance(outcome, Redeemed)
    assert (await till.voucher(till.voucher_id)).state == "redeemed"
    done = await till.db.read(load_redemption, till.merchant_id, asked.id, clock.now())
    clerk = await till.staff("clerk")
    assert (done.state, done.decided_at, done.staff_id, done.entry_id) == (
        "done",
        clock.now(),
        clerk.id,
        outcome.entry_id,
    )
    last = (await till.entries(till.card_id))[-1]
    assert (last.kind, last.shop_id) == ("redeem", till.shop.shop.id)
    assert await till.waiting() == []


async def test_the_shop_of_the_till_that_confirms_counts(till, db):
    asked = await till.ask()
    await till.confirm(asked, shop_id=till.shop.shop.id)

    assert (await till.entries(till.card_id))[-1].shop_id == till.shop.shop.id


async def test_asking_again_while_it_waits_is_the_same_request(till, clock):
    first = await till.ask(key="tap")
    clock.move(minutes=2)

    assert await till.ask() == first
    assert await till.ask(key="tap") == first
    assert len(await till.waiting()) == 1


async def test_thirty_taps_at_once_are_one_request(till):
    asked = await asyncio.gather(*(till.ask() for _ in range(30)))

    assert len({each.id for each in asked}) == 1
    assert len(await till.waiting()) == 1


async def test_after_five_minutes_it_is_over_and_can_be_asked_again(till, clock):
    first = await till.ask()
    clock.move(minutes=5, seconds=-1)
    assert await till.state(first) == "waiting"
    clock.move(seconds=1)

    assert await till.state(first) == "expired"
    assert await till.waiting() == []
    assert Refused(why=Why.expired_request, card_id=till.card_id) == await till.confirm(
        first
    )
    second = await till.ask()
    assert second.id != first.id
    assert isinstance(await till.confirm(second), Redeemed)
    assert await till.state(first) == "expired"


async def test_a_request_does_not_outlive_its_voucher(till, clock):
    until = (await till.voucher(till.voucher_id)).expires_at
    clock.at = until - timedelta(minutes=2)

    asked = await till.ask()

    assert asked.expires_at == until


async def test_a_voucher_that_cannot_be_used_cannot_wait(till, clock):
    await till.use()
    assert Why.already_used == (await till.ask()).why
    await till.use(undo_redeem)
    clock.at = (await till.voucher(till.voucher_id)).expires_at
    assert Why.expired_voucher == (await till.ask()).why


async def test_somebody_else_cannot_ask_nor_cancel(till):
    stranger = CustomerId("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    with pytest.raises(NotFound, match="voucher"):
        await till.ask(customer_id=stranger)
    asked = await till.ask()
    with pytest.raises(NotFound, match="redemption"):
        await till.cancel(asked, customer_id=stranger)

    assert await till.state(asked) == "waiting"


async def test_a_linked_voucher_is_asked_for_by_the_person_that_both_are(
    till, db, clock
):
    wallet = await db.write(
        open_card,
        merchant_id=till.merchant_id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="太郎",
    )
    ask = StampAsk(
        merchant_id=till.merchant_id, key="s", how="api", card_id=wallet, stamps=2
    )
    [till.voucher_id] = (await db.write(grant_stamps, ask, clock.now())).vouchers
    taro = (await till.card(wallet)).customer_id
    linked = await db.write(
        link_customers,
        merchant_id=till.merchant_id,
        from_id=taro,
        to_id=till.customer_id,
        by=till.shop.owner,
        key="link",
        now=clock.now(),
    )
    assert isinstance(linked, Linked)

    asked = await till.ask()

    assert asked == await till.ask(customer_id=taro)
    [waiting] = await till.waiting()
    assert (waiting.card.id, waiting.customer.name) == (till.card_id, "花子")
    with db.watch({f"card:{till.card_id}"}) as watch:
        assert isinstance(await till.confirm(asked), Redeemed)
        assert await watch.wait(5)
    vouchers = (await till.view(till.card_id)).face.vouchers
    assert till.voucher_id not in {voucher.id for voucher in vouchers}


async def test_another_merchant_knows_nothing_of_it(till, db, vault, clock):
    asked = await till.ask()
    till.shop = await build_shop(
        db, vault, clock.now(), key="minato", api_key="sk_other_0123456789"
    )

    assert await till.waiting() == []
    for act in (till.confirm, till.cancel):
        with pytest.raises(NotFound, match="redemption"):
            await act(asked, by=None)


async def test_twenty_tills_that_confirm_at_once_use_it_once(till):
    asked = await till.ask()

    outcomes = await asyncio.gather(*(till.confirm(asked) for _ in range(20)))

    assert sum(isinstance(outcome, Redeemed) for outcome in outcomes) == 1
    refused = {outcome.why for outcome in outcomes if isinstance(outcome, Refused)}
    assert refused == {Why.already_used}


async def test_the_same_key_gets_its_first_answer(till, clock):
    asked = await till.ask()
    first = await till.confirm(asked, key="k")
    clock.move(hours=1)

    assert first == await till.confirm(asked, key="k")
    with pytest.raises(Invalid):
        await till.ask(key="k")


async def test_who_only_looks_may_neither_confirm_nor_cancel(till):
    asked = await till.ask()

    assert Why.not_allowed == (await till.confirm(asked, by="viewer")).why
    assert Why.not_allowed == (await till.cancel(asked, by="viewer")).why
    assert isinstance(await till.confirm(asked, by=None), Redeemed)


@pytest.mark.parametrize("by", ["customer", "clerk"])
async def test_a_cancelled_request_waits_no_more_and_the_voucher_stays(till, by):
    asked = await till.ask()
    who = {"customer_id": till.customer_id} if by == "customer" else {"by": "clerk"}

    cancelled = await till.cancel(asked, **who)

    assert cancelled.state == "cancelled"
    assert cancelled == await till.cancel(asked, **who)
    assert await till.waiting() == []
    assert Why.expired_request == (await till.confirm(asked)).why
    assert isinstance(await till.confirm(await till.ask()), Redeemed)


async def test_what_is_done_or_over_cannot_be_cancelled(till, clock):
    first = await till.ask()
    clock.move(minutes=5)
    assert Why.expired_request == (await till.cancel(first)).why
    second = await till.ask()
    await till.confirm(second)
    assert Why.already_used == (await till.cancel(second)).why


async def test_using_the_voucher_directly_settles_its_request(till):
    asked = await till.ask()

    used = await till.use()

    assert await till.state(asked) == "done"
    assert await till.waiting() == []
    assert Why.already_used == (await till.confirm(asked)).why
    done = await till.db.read(
        load_redemption, till.merchant_id, asked.id, till.clock.now()
    )
    assert done.entry_id == used.entry_id


async def test_a_request_that_was_over_is_not_called_done_by_a_later_use(till, clock):
    asked = await till.ask()
    clock.move(minutes=6)

    await till.use()

    assert await till.state(asked) == "expired"


async def test_a_confirmed_use_is_taken_back_within_ten_minutes(till, clock):
    await till.confirm(await till.ask())
    clock.move(minutes=10)

    assert isinstance(await till.use(undo_redeem), Undone)
    assert isinstance(await till.confirm(await till.ask()), Redeemed)


async def test_a_request_whose_voucher_went_is_not_shown(till):
    await till.ask()
    entries = await till.entries(till.card_id)
    await till.undo(type("Grant", (), {"entry_id": entries[0].id}))

    assert await till.waiting() == []
    voucher = await till.db.read(load_voucher, till.merchant_id, till.voucher_id)
    assert voucher.state == "void"


async def test_a_card_that_was_stopped_meanwhile_is_refused(till, db):
    asked = await till.ask()

    def stop(tx):
        update_card(tx, lock_card(tx, till.merchant_id, till.card_id), state="stopped")

    await db.write(stop)

    assert Why.card_stopped == (await till.confirm(asked)).why
    assert await till.waiting() == []


async def test_the_customers_page_finds_its_request_while_it_waits(till, db, clock):
    async def found():
        return await db.read(
            redemption_of_voucher, till.merchant_id, till.voucher_id, clock.now()
        )

    assert await found() is None
    asked = await till.ask()
    assert await found() == asked
    clock.move(minutes=5)
    assert await found() is None


async def test_tills_and_the_card_page_hear_of_each_change(till, db):
    topics = (f"tills:{till.merchant_id}", f"card:{till.card_id}")
    for topic in topics:
        with db.watch({topic}) as watch:
            asked = await till.ask()
            assert await watch.wait(5)
            await till.cancel(asked)
            assert await watch.wait(5)
    for topic in topics:
        asked = await till.ask()
        with db.watch({topic}) as watch:
            await till.confirm(asked)
            assert await watch.wait(5)
        await till.use(undo_redeem)


async def test_the_log_has_one_line_an_act(till, db):
    asked = await till.ask()
    await till.ask()
    await till.cancel(asked, customer_id=till.customer_id)
    await till.cancel(asked, customer_id=till.customer_id)
    await till.confirm(await till.ask())

    def lines(tx):
        rows = tx.execute(select(journal.c.action, journal.c.actor).order_by("id"))
        return [tuple(row) for row in rows if row.action.startswith(("red", "vou"))]

    me = f"customer:{till.customer_id}"
    assert await db.read(lines) == [
        ("redemption.asked", me),
        ("redemption.cancelled", me),
        ("redemption.asked", me),
        ("voucher.redeemed", f"staff:{(await till.staff('clerk')).id}"),
    ]
