"""Shops on a LINE of our own, as the stories of the chat need them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from core.actions.apply import MerchantFile, apply_merchant
from core.rules.types import Design
from tests.bot.line_house import CHANNEL, LineHouse, texts_in
from tests.builders import build_shop


@asynccontextmanager
async def shop_on_line(
    programs: Sequence[tuple[str, Design]], **parts: Any
) -> AsyncIterator[LineHouse]:
    """あおぞら珈琲 with these programs, of which "coffee" is the first; a worker runs.

    `parts` are the fixtures of the same names.
    """
    settings, db, clock = parts["settings"], parts["db"], parts["clock"]
    shop = await build_shop(db, parts["vault"], clock.now(), design=programs[0][1])
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "info@example.jp",
            "languages": ["ja", "en"],
        },
        programs=tuple(programs),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    house = LineHouse(settings, db, shop, clock, parts["vault"], parts["links"])
    await house.start()
    house.run()
    try:
        yield house
    finally:
        await house.stop()


async def follow(house: LineHouse, user_id: str) -> dict[str, Any]:
    """Add the shop as a friend; the answer."""
    await house.line.follow(CHANNEL, user_id)
    return (await house.line.wait_for_reply(CHANNEL, user_id))[-1].message


async def scan(house: LineHouse, user_id: str, stamps: int = 1) -> dict[str, Any]:
    """Scan what the till shows, and press send; the answer."""
    code = await house.shop.till_code(house.clock.now(), stamps)
    return await house.ask(user_id, f"STAMP {code.code}")


def said(message: dict[str, Any]) -> str:
    """All that a message shows, a line each."""
    return "\n".join(texts_in(message))
