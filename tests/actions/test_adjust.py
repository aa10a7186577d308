"""Correcting a card by hand: with a reason, never below nothing, rewards as usual."""

from __future__ import annotations

import pytest

from core.actions.adjust import adjust_card
from core.errors import Invalid
from core.rules.asking import Adjusted, Granted, Refused
from core.rules.types import (
    CardId,
    Expiry,
    Limit,
    Why,
)
from core.store.cards import lock_card, update_card
from tests.actions.test_undo import FIVE, Counter, _with
from tests.builders import build_shop, coffee


class Office(Counter):
    """Where a manager corrects cards."""

    async def open(self):
        self.card_id = (await self.grant(2)).card_id
        return self

    async def adjust(self, stamps, reason="数えなおし", by="manager", key=None):
        return await self.db.write(
            adjust_card,
            merchant_id=self.shop.merchant.id,
            card_id=self.card_id,
            stamps=stamps,
            reason=reason,
            by=None if by is None else await self.staff(by),
            key=key or self.key(),
            now=self.clock.now(),
        )

    async def balance(self):
        return (await self.card(self.card_id)).balance


@pytest.fixture
async def office(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=FIVE)
    return await Office(db, shop, clock).open()


async def test_stamps_are_added_and_taken_off_with_the_reason(office):
    assert isinstance(await office.adjust(2, "紙のカードから"), Adjusted)
    assert isinstance(await office.adjust(-1), Adjusted)

    card = await office.card(office.card_id)
    assert (card.balance, card.total) == (3, 3)
    entries = await office.entries(office.card_id)
    assert [(e.kind, e.stamps, e.reason) for e in entries[:2]] == [
        ("stamp", 2, ""),
        ("adjust", 2, "紙のカードから"),
    ]
    assert (await office.staff("manager")).id == entries[-1].staff_id


async def test_without_a_reason_it_is_not_done(office):
    with pytest.raises(Invalid, match="reason"):
        await office.adjust(1, " ")


@pytest.mark.parametrize("stamps", [0, 51, -51])
async def test_only_one_to_fifty_stamps_at_once(office, stamps):
    with pytest.raises(Invalid, match="stamps"):
        await office.adjust(stamps)


async def test_a_card_never_has_less_than_nothing(office):
    refused = await office.adjust(-3)

    assert Refused(why=Why.not_enough, card_id=office.card_id) == refused
    assert isinstance(await office.adjust(-2), Adjusted)
    assert await office.balance() == 0


async def test_reaching_the_goal_completes_as_usual(office):
    outcome = await office.adjust(4)

    assert outcome.completed
    view = await office.view(office.card_id)
    assert (view.card.balance, view.card.cycle) == (1, 1)
    assert sorted(v.name for v in view.face.vouchers) == ["クッキー", "コーヒー1杯"]
    await office.entries(office.card_id)


async def test_stamps_taken_off_take_their_unused_rewards_along(office):
    full = await office.adjust(3)
    assert len(full.vouchers) == 2

    off = await office.adjust(-1)

    assert [(await office.voucher(v)).name for v in off.vouchers] == ["コーヒー1杯"]
    view = await office.view(office.card_id)
    assert (view.card.balance, view.card.cycle) == (4, 0)
    assert [v.name for v in view.face.vouchers] == ["クッキー"]
    again = await office.adjust(1)
    assert len(again.vouchers) == 1


async def test_but_not_where_the_reward_was_used(office):
    outcome = await office.adjust(1)
    await office.redeem(outcome.vouchers[0])

    assert Why.already_used == (await office.adjust(-1)).why
    assert await office.balance() == 3


async def test_the_limit_is_for_customers_and_is_not_used_up(db, vault, clock):
    design = coffee(**_with(limit=Limit(kind="day")))
    shop = await build_shop(db, vault, clock.now(), design=design)
    office = await Office(db, shop, clock).open()

    assert isinstance(await office.adjust(1), Adjusted)
    clock.move(days=1)
    assert isinstance(await office.adjust(1), Adjusted)
    assert isinstance(await office.grant(1), Granted)


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_clerks_do_not_correct(office, role):
    assert Why.not_allowed == (await office.adjust(1, by=role)).why


async def test_the_same_key_corrects_once(office):
    first = await office.adjust(1, key="k")
    assert first == await office.adjust(1, key="k")
    assert await office.balance() == 3
    with pytest.raises(Invalid):
        await office.adjust(2, key="k")


async def test_stamps_on_an_expired_card_start_it_anew(db, vault, clock):
    design = coffee(**_with(expires=Expiry(kind="after_last", months=1)))
    shop = await build_shop(db, vault, clock.now(), design=design)
    office = await Office(db, shop, clock).open()
    clock.move(days=60)

    assert Why.not_enough == (await office.adjust(-1)).why
    assert isinstance(await office.adjust(1), Adjusted)

    card = await office.card(office.card_id)
    assert card.balance == 1
    assert card.expires_at > clock.now()


async def test_a_stopped_card_is_only_taken_from(office, db):
    def stop(tx):
        held = lock_card(tx, office.shop.merchant.id, office.card_id)
        update_card(tx, held, state="stopped")

    await db.write(stop)

    assert Why.card_stopped == (await office.adjust(1)).why
    assert isinstance(await office.adjust(-1), Adjusted)


async def test_an_unknown_card_says_so(office):
    office.card_id = CardId("none")

    assert Refused(why=Why.no_such_card) == await office.adjust(1)
