"""A voucher is used once, in front of staff, who can take that back for ten minutes."""

from __future__ import annotations

import asyncio

import pytest

from core.actions.cards import ledger, load_card
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass
from core.actions.redeem import load_voucher, redeem_voucher, undo_redeem
from core.errors import Invalid, NotFound
from core.rules.asking import Redeemed, Refused, Undone
from core.rules.types import (
    Limit,
    Reward,
    VoucherId,
    Why,
)
from core.store.cards import lock_card, update_card
from tests.actions.test_undo import Counter
from tests.builders import build_shop, coffee


class Desk(Counter):
    """A counter whose customer has one voucher, good for a month."""

    async def open(self):
        grant = await self.grant(2)
        self.card_id, [self.voucher_id] = grant.card_id, grant.vouchers
        return self

    async def use(self, by="clerk", key=None, fn=redeem_voucher, **more):
        return await self.db.write(
            fn,
            merchant_id=self.shop.merchant.id,
            voucher_id=self.voucher_id,
            by=None if by is None else await self.staff(by),
            key=key or self.key(),
            now=self.clock.now(),
            **more,
        )

    async def take_back(self, by="clerk", key=None):
        return await self.use(by, key, undo_redeem)

    async def state(self):
        return (await self.voucher(self.voucher_id)).state


@pytest.fixture
async def desk(db, vault, clock):
    design = coffee(
        goal=2, limit=Limit(), rewards=(Reward(at=2, name="コーヒー", valid="1m"),)
    )
    shop = await build_shop(db, vault, clock.now(), design=design)
    return await Desk(db, shop, clock).open()


async def test_a_used_voucher_is_off_the_card_and_in_its_history(desk, clock):
    outcome = await desk.use(shop_id=desk.shop.shop.id)

    assert isinstance(outcome, Redeemed)
    assert (desk.card_id, desk.voucher_id) == (outcome.card_id, outcome.voucher_id)
    voucher = await desk.voucher(desk.voucher_id)
    assert ("redeemed", clock.now()) == (voucher.state, voucher.redeemed_at)
    view = await desk.view(desk.card_id)
    assert (view.face.vouchers, view.card.balance) == ((), 2)
    last = (await desk.entries(desk.card_id))[-1]
    assert (
        last.kind,
        last.stamps,
        last.balance,
        last.reason,
    ) == ("redeem", 0, 2, "コーヒー")
    assert ((await desk.staff("clerk")).id, desk.shop.shop.id) == (
        last.staff_id,
        last.shop_id,
    )


async def test_a_voucher_is_used_once(desk):
    await desk.use()

    assert Refused(why=Why.already_used, card_id=desk.card_id) == await desk.use()


async def test_thirty_tills_at_once_use_it_once(desk):
    outcomes = await asyncio.gather(*(desk.use() for _ in range(30)))

    assert sum(isinstance(outcome, Redeemed) for outcome in outcomes) == 1
    assert len(await desk.entries(desk.card_id)) == 2


async def test_the_same_key_gets_its_first_answer(desk, clock):
    first = await desk.use(key="double tap")
    clock.move(hours=1)

    assert first == await desk.use(key="double tap")


async def test_a_key_of_another_doing_is_not_taken(desk):
    await desk.use(key="k")

    with pytest.raises(Invalid):
        await desk.take_back(key="k")


async def test_an_expired_voucher_says_so(desk, clock):
    until = (await desk.voucher(desk.voucher_id)).expires_at
    clock.at = until
    assert Why.expired_voucher == (await desk.use()).why

    clock.move(seconds=-1)
    assert isinstance(await desk.use(), Redeemed)


async def test_a_void_voucher_says_so(desk):
    entries = await desk.entries(desk.card_id)
    await desk.undo(type("Grant", (), {"entry_id": entries[0].id}))

    assert Why.void_voucher == (await desk.use()).why


async def test_a_stopped_card_gives_no_rewards(desk, db):
    def stop(tx):
        held = lock_card(tx, desk.shop.merchant.id, desk.card_id)
        update_card(tx, held, state="stopped")

    await db.write(stop)

    assert Why.card_stopped == (await desk.use()).why


@pytest.mark.parametrize("by", ["clerk", "manager", "owner", None])
async def test_staff_and_machines_may(desk, by):
    assert isinstance(await desk.use(by=by), Redeemed)
    assert isinstance(await desk.take_back(by=by), Undone)


async def test_who_only_looks_may_not(desk):
    assert Why.not_allowed == (await desk.use(by="viewer")).why
    await desk.use()
    assert Why.not_allowed == (await desk.take_back(by="viewer")).why


async def test_another_merchants_voucher_is_unknown(desk, db, vault, clock):
    desk.shop = await build_shop(
        db, vault, clock.now(), key="minato", api_key="sk_other_0123456789"
    )
    for act in (desk.use, desk.take_back):
        with pytest.raises(NotFound, match="voucher"):
            await act(by=None)
    with pytest.raises(NotFound, match="voucher"):
        await db.read(load_voucher, desk.shop.merchant.id, VoucherId("none"))


async def test_passes_and_pages_hear_of_it(desk, db, clock):
    merchant_id = desk.shop.merchant.id
    held = await db.write(hold_pass, merchant_id, desk.card_id, "google", clock.now())

    for act in (desk.use, desk.take_back):
        with db.watch({f"card:{desk.card_id}"}) as watch:
            await act()
            assert await watch.wait(5)
        clock.move(minutes=5)
        due = await db.write(take_deliveries, 10, 60, clock.now())
        assert [f"pass:{held.id}"] == [delivery.topic for delivery in due]


# --- taking it back -----------------------------------------------------------------


async def test_for_ten_minutes_it_can_be_taken_back_and_used_again(desk, clock):
    used = await desk.use()
    clock.move(minutes=10)

    undone = await desk.take_back()

    assert isinstance(undone, Undone)
    assert (used.entry_id, (desk.voucher_id,)) == (undone.undoes, undone.vouchers)
    assert await desk.state() == "issued"
    view = await desk.db.read(
        load_card, desk.shop.merchant.id, desk.card_id, clock.now()
    )
    assert [desk.voucher_id] == [v.id for v in view.face.vouchers]
    assert isinstance(await desk.use(), Redeemed)
    entries = await desk.db.read(ledger, desk.shop.merchant.id, desk.card_id)
    assert [e.kind for e in entries] == ["redeem", "undo", "redeem", "stamp"]


async def test_later_it_cannot(desk, clock):
    await desk.use()
    clock.move(minutes=10, seconds=1)

    assert Why.too_late == (await desk.take_back(by="owner")).why
    assert await desk.state() == "redeemed"


async def test_what_was_not_used_cannot_be_taken_back(desk):
    assert Why.unused_voucher == (await desk.take_back()).why
    await desk.use()
    await desk.take_back()
    assert Why.unused_voucher == (await desk.take_back()).why


async def test_taking_back_twice_with_one_key_is_once(desk):
    await desk.use()
    first = await desk.take_back(key="k")
    assert first == await desk.take_back(key="k")
