"""Reminds customers of what runs out: every hour, so that each zone has its morning.

One transaction for a few notices each, so that a stamp never waits for the whole. What
a stopped service missed is made up for, by the most urgent reminder alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from core.actions.notices import DuePage, find_due, make_reminder
from core.actions.telling import open_notices, release_replies, route_notices
from core.database import Database
from core.rules.reminding import NoticeId
from core.rules.types import MerchantId
from jobs.each_merchant import each_merchant
from jobs.parts import Parts

PAGE = 500
BATCH = 20
_KINDS: tuple[Literal["expiry", "voucher"], ...] = ("expiry", "voucher")


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Make the reminders that are due and send on what waits; how many of each."""
    count = {"made": 0, "wallet": 0, "push": 0, "dropped": 0}

    async def remind(merchant_id: MerchantId) -> None:
        count["made"] += await _make(parts.db, merchant_id, now)
        for way, n in (await _send_on(parts.db, merchant_id, now)).items():
            count[way] += n

    red = await each_merchant(
        parts.db,
        remind,
        event="reminders_failed",
        trouble="the reminders of {} could not be made",
    )
    return {**count, "red": red}


async def _make(db: Database, merchant_id: MerchantId, now: datetime) -> int:
    n_made = 0
    for kind in _KINDS:
        after: str | None = ""
        while after is not None:
            page: DuePage = await db.read(find_due, merchant_id, kind, after, PAGE, now)
            for due in page.due:
                made = await db.write(make_reminder, merchant_id, due, now)
                n_made += made is not None
            after = page.last
    return n_made


async def _send_on(
    db: Database, merchant_id: MerchantId, now: datetime
) -> dict[str, int]:
    await db.write(release_replies, merchant_id, now)
    went: dict[str, int] = {}
    last: NoticeId | None = None
    while True:
        page = await db.read(open_notices, merchant_id, last, BATCH)
        ids = [notice.id for notice in page]
        if ids:
            done = await db.write(route_notices, merchant_id, ids, now)
            went = {way: went.get(way, 0) + n for way, n in done.items()}
        if len(page) < BATCH:
            return went
        last = ids[-1]
