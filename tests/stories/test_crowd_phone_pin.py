"""A reward is confirmed at the till and on the phone at the same moment: used once."""

from __future__ import annotations

from sqlalchemy import select

from core.actions.cards import ledger, load_card
from core.actions.phone_pin import confirm_with_pin
from core.actions.pins import PinRefused
from core.actions.redeem import load_voucher, undo_redeem
from core.actions.redemptions import (
    ask_redemption,
    confirm_redemption,
    load_redemption,
)
from core.actions.team import give_pin, switch_phone_pin
from core.rules.asking import Redeemed, Refused, Undone
from core.rules.types import Why
from core.store.tables import journal
from jobs.audit import wrong_cards
from tests.stories.calls import Call, full_card, kinds, reasons

PIN, WRONG = "739184", "604815"


async def ask(db, shop, vault, now):
    """A request that waits; the owner's PIN is good on phones."""
    owner = {"by": shop.owner, "now": now}
    await db.write(switch_phone_pin, is_on=True, **owner)
    mac = {"mac_of": lambda text: vault.pin_mac(shop.merchant.id, text)}
    await db.write(give_pin, staff_id=shop.owner.id, typed=PIN, **mac, **owner)
    granted = await full_card(shop, now)
    view = await db.read(load_card, shop.merchant.id, granted.card_id, now)
    return await db.write(
        ask_redemption,
        merchant_id=shop.merchant.id,
        voucher_id=granted.vouchers[0],
        customer_id=view.customer.id,
        key="ask",
        now=now,
    )


def at_till(shop, asked, key, now) -> Call:
    return Call.of(
        confirm_redemption,
        merchant_id=shop.merchant.id,
        redemption_id=asked.id,
        by=shop.owner,
        key=key,
        now=now,
    )


def on_phone(shop, asked, vault, pin, key, now) -> Call:
    return Call.of(
        confirm_with_pin,
        merchant_id=shop.merchant.id,
        redemption_id=asked.id,
        pin_mac=vault.pin_mac(shop.merchant.id, pin),
        key=key,
        now=now,
    )


async def test_till_and_phone_twice_each_at_once_use_it_once(
    db, free_shop, vault, clock, crowd
):
    shop, now = free_shop, clock.now()
    asked = await ask(db, shop, vault, now)
    # Two tills and two phones; the second half are the same forms sent again.
    calls = [
        call
        for key in ("a", "b", "a", "b")
        for call in (
            at_till(shop, asked, f"till:{key}", now),
            on_phone(shop, asked, vault, PIN, key, now),
        )
    ]

    outcomes = await crowd(calls)

    entries = await db.read(ledger, shop.merchant.id, asked.card_id)
    assert kinds(entries) == ["redeem", "stamp"]
    done = [o for o in outcomes if isinstance(o, Redeemed)]
    assert done
    assert {o.entry_id for o in done} == {entries[0].id}
    assert set(reasons(outcomes)) <= {Why.already_used}
    assert not [o for o in outcomes if isinstance(o, PinRefused)]
    after = await db.read(load_redemption, shop.merchant.id, asked.id, now)
    assert (after.state, after.entry_id) == ("done", entries[0].id)
    used = [row for row in await db.read(_journal) if row == "voucher.redeemed"]
    assert len(used) == 1
    assert await db.read(wrong_cards) == []


async def test_fifty_guesses_at_once_are_no_more_than_five(
    db, free_shop, vault, clock, crowd
):
    shop, now = free_shop, clock.now()
    asked = await ask(db, shop, vault, now)
    calls = [on_phone(shop, asked, vault, WRONG, f"k{n}", now) for n in range(50)]

    outcomes = await crowd(calls)

    open_ones = [o for o in outcomes if isinstance(o, PinRefused) and not o.retry_at]
    assert len(open_ones) == 4
    assert all(isinstance(o, PinRefused) for o in outcomes)
    right = on_phone(shop, asked, vault, PIN, "right", now)
    assert isinstance(await db.write(right.run), PinRefused)
    after = await db.read(load_redemption, shop.merchant.id, asked.id, now)
    assert after.state == "waiting"


async def test_what_the_phone_confirmed_staff_take_back_once(
    db, free_shop, vault, clock, crowd
):
    shop, now = free_shop, clock.now()
    asked = await ask(db, shop, vault, now)
    done = await db.write(on_phone(shop, asked, vault, PIN, "k", now).run)
    assert isinstance(done, Redeemed)
    calls = [
        Call.of(
            undo_redeem,
            merchant_id=shop.merchant.id,
            voucher_id=asked.voucher_id,
            by=shop.owner,
            key=f"back{n}",
            now=now,
        )
        for n in range(10)
    ]

    outcomes = await crowd(calls)

    assert sum(isinstance(o, Undone) for o in outcomes) == 1
    assert sum(isinstance(o, Refused) for o in outcomes) == 9
    voucher = await db.read(load_voucher, shop.merchant.id, asked.voucher_id)
    assert voucher.state == "issued"
    assert await db.read(wrong_cards) == []


def _journal(tx):
    return [row.action for row in tx.execute(select(journal)).all()]
