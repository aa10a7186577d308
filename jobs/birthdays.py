"""Gives birthday gifts: every hour, so that each merchant's zone has its morning.

One transaction a customer, so that a stamp never waits for the whole.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from core.actions.birthday import (
    close_day,
    days_to_celebrate,
    find_celebrated,
    give_gifts,
)
from core.database import Database
from core.rules.types import MerchantId
from jobs.each_merchant import each_merchant
from jobs.parts import Parts

BATCH = 200


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Give what is due today, and what was missed in the last week; how many."""
    n_gifts = 0

    async def celebrate(merchant_id: MerchantId) -> None:
        nonlocal n_gifts
        n_gifts += await _celebrate(parts.db, merchant_id, now)

    red = await each_merchant(
        parts.db,
        celebrate,
        event="birthdays_failed",
        trouble="the birthday gifts of {} could not be given",
    )
    return {"gifts": n_gifts, "red": red}


async def _celebrate(db: Database, merchant_id: MerchantId, now: datetime) -> int:
    n_gifts = 0
    for day in await db.read(days_to_celebrate, merchant_id, now):
        n_gifts += await _celebrate_day(db, merchant_id, day, now)
        await db.write(close_day, merchant_id, day, now)
    return n_gifts


async def _celebrate_day(
    db: Database, merchant_id: MerchantId, day: date, now: datetime
) -> int:
    n_gifts, last = 0, None
    while True:
        page = await db.read(find_celebrated, merchant_id, day, last, BATCH)
        for customer_id in page:
            vouchers = await db.write(
                give_gifts,
                merchant_id=merchant_id,
                customer_id=customer_id,
                day=day,
                now=now,
            )
            n_gifts += len(vouchers)
        if len(page) < BATCH:
            return n_gifts
        last = page[-1]
