"""A fresh card begins with what it was promised."""

from __future__ import annotations

from datetime import timedelta

from core.actions.cards import cards_of_person, load_card
from core.actions.join import follow
from core.actions.publish import publish, save_draft
from core.rules.types import Expiry, Limit, Reward
from tests.builders import build_shop, coffee, person


async def joined(db, vault, clock, **design):
    shop = await build_shop(
        db, vault, clock.now(), design=coffee(limit=Limit(), **design)
    )
    [card_id] = await db.write(
        follow, shop.merchant.id, person(), "follow", clock.now()
    )
    return shop, card_id


async def test_a_bonus_that_reaches_a_reward_brings_its_voucher(db, vault, clock):
    rewards = (Reward(at=2, name="クッキー"), Reward(at=10, name="コーヒー1杯"))

    shop, _ = await joined(db, vault, clock, bonus=3, rewards=rewards)

    [face] = await db.read(
        cards_of_person, shop.merchant.id, person().user_id, clock.now()
    )
    assert (face.balance, [v.name for v in face.vouchers]) == (3, ["クッキー"])


async def test_a_longer_expiry_counts_from_the_bonus_too(db, vault, clock):
    one = Expiry(kind="after_last", months=1)
    shop, card_id = await joined(db, vault, clock, bonus=1, expires=one)
    ids = (shop.merchant.id, shop.program.id)
    two = coffee(limit=Limit(), bonus=1, expires=Expiry(kind="after_last", months=2))

    await db.write(save_draft, *ids, two, None, clock.now())
    await db.write(publish, *ids, None, clock.now())

    card = (await db.read(load_card, shop.merchant.id, card_id, clock.now())).card
    assert timedelta(60) < card.expires_at - clock.now() < timedelta(63)
