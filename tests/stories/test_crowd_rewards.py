"""A reward is used once, and a stamp is taken back once, however many try."""

from __future__ import annotations

from core.actions.cards import ledger, load_card
from core.actions.redeem import load_voucher
from core.rules.asking import Redeemed, Refused, Undone
from core.rules.types import Why
from jobs.audit import wrong_cards
from tests.stories.calls import (
    by_api,
    full_card,
    kinds,
    new_card,
    reasons,
    redeeming,
    undoing,
)


async def test_a_voucher_that_is_used_a_hundred_times_at_once_is_used_once(
    db, free_shop, clock, crowd
):
    shop = free_shop
    granted = await full_card(shop, clock.now())
    [voucher_id] = granted.vouchers
    calls = [
        redeeming(
            shop, voucher_id, f"r{n}", clock.now(), by=shop.owner if n % 2 else None
        )
        for n in range(100)
    ]

    outcomes = await crowd(calls)

    [redeemed] = [o for o in outcomes if isinstance(o, Redeemed)]
    assert reasons(outcomes) == {Why.already_used: 99}
    voucher = await db.read(load_voucher, shop.merchant.id, voucher_id)
    assert (voucher.state, voucher.redemption_id) == ("redeemed", redeemed.entry_id)
    entries = await db.read(ledger, shop.merchant.id, granted.card_id)
    assert kinds(entries) == ["redeem", "stamp"]


async def test_fifty_deliveries_of_one_redemption_have_one_answer(
    db, free_shop, clock, crowd
):
    shop = free_shop
    granted = await full_card(shop, clock.now())

    outcomes = await crowd(
        [redeeming(shop, granted.vouchers[0], "r", clock.now())] * 50
    )

    assert isinstance(outcomes[0], Redeemed)
    assert outcomes == [outcomes[0]] * 50
    entries = await db.read(ledger, shop.merchant.id, granted.card_id)
    assert kinds(entries) == ["redeem", "stamp"]


async def test_a_stamp_that_is_taken_back_fifty_times_at_once_is_gone_once(
    db, shop, clock, crowd
):
    card_id = await new_card(shop, clock.now())
    granted = await db.write(by_api(shop, card_id, "k", clock.now()).run)
    calls = [undoing(shop, granted.entry_id, f"u{n}", clock.now()) for n in range(50)]

    outcomes = await crowd(calls)

    assert sum(isinstance(o, Undone) for o in outcomes) == 1
    assert reasons(outcomes) == {Why.already_used: 49}
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert (view.card.balance, view.card.total) == (0, 0)
    assert await db.read(wrong_cards) == []


async def test_a_reward_is_used_or_its_stamps_are_taken_back_never_both(
    db, free_shop, clock, crowd
):
    shop = free_shop
    granted = await full_card(shop, clock.now())
    [voucher_id] = granted.vouchers
    calls = [
        call
        for n in range(25)
        for call in (
            redeeming(shop, voucher_id, f"r{n}", clock.now()),
            redeeming(shop, voucher_id, f"s{n}", clock.now()),
            undoing(shop, granted.entry_id, f"u{n}", clock.now()),
            undoing(shop, granted.entry_id, f"v{n}", clock.now()),
        )
    ]

    outcomes = await crowd(calls)

    [done] = [o for o in outcomes if not isinstance(o, Refused)]
    voucher = await db.read(load_voucher, shop.merchant.id, voucher_id)
    entries = await db.read(ledger, shop.merchant.id, granted.card_id)
    if isinstance(done, Redeemed):
        assert voucher.state == "redeemed"
        assert kinds(entries) == ["redeem", "stamp"]
        assert reasons(outcomes) == {Why.already_used: 99}
    else:
        assert voucher.state == "void"
        assert kinds(entries) == ["stamp", "undo"]
        assert reasons(outcomes) == {Why.void_voucher: 50, Why.already_used: 49}
    assert await db.read(wrong_cards) == []
