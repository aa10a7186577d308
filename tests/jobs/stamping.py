"""People who collect stamps while something else is tested."""

from __future__ import annotations

import asyncio
from datetime import datetime

from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.rules.asking import Granted, StampAsk
from core.rules.types import CardId
from tests.builders import BuiltShop, person


async def a_card(shop: BuiltShop, number: int, now: datetime) -> CardId:
    """A new friend's card."""
    (card_id,) = await shop.db.write(
        follow, shop.merchant.id, person(number), f"follow-{number}", now
    )
    return card_id


async def a_stamp(shop: BuiltShop, number: int, now: datetime) -> CardId:
    """A new friend's card with one stamp, given by the till."""
    card_id = await a_card(shop, number, now)
    assert isinstance(await _grant(shop, card_id, f"stamp-{number}", now), Granted)
    return card_id


async def stamp_forever(
    shop: BuiltShop,
    lane: int,
    now: datetime,
    stop: asyncio.Event,
    kept: asyncio.Queue[CardId],
) -> None:
    """New friends with a stamp each until `stop`; `kept` gets the acknowledged ones."""
    number = 1000 * (lane + 1)
    while not stop.is_set():
        number += 1
        kept.put_nowait(await a_stamp(shop, number, now))


async def _grant(shop: BuiltShop, card_id: CardId, key: str, now: datetime) -> object:
    return await shop.db.write(
        grant_stamps,
        StampAsk(
            merchant_id=shop.merchant.id,
            key=key,
            how="till",
            card_id=card_id,
            shop_id=shop.shop.id,
            staff_id=shop.owner.id,
        ),
        now,
    )
