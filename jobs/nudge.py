"""One more push, each hour, for phones that have not fetched a change of hours ago.

APNs keeps one undelivered push for each phone and may drop it, and a phone that is
low on power may not follow it. Once for each state of a pass and no more: devices hold
back whoever pushes to "make sure", and nobody can see that they do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.actions.fetching import find_missed, nudge
from core.database import Database
from core.rules.types import MerchantId
from jobs.each_merchant import each_merchant
from jobs.parts import Parts

BATCH = 100


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Announce the passes that phones have missed; how many."""
    count = 0

    async def nudge_all(merchant_id: MerchantId) -> None:
        nonlocal count
        count += await _nudge(parts.db, merchant_id, now)

    red = await each_merchant(
        parts.db,
        nudge_all,
        event="nudges_failed",
        trouble="the passes of {} could not be announced again",
    )
    return {"nudged": count, "red": red}


async def _nudge(db: Database, merchant_id: MerchantId, now: datetime) -> int:
    count, last = 0, None
    while True:
        # Looked for beside the writer, so that no stamp waits for the search.
        page = await db.read(find_missed, merchant_id, last, BATCH, now)
        if page:
            count += await db.write(nudge, merchant_id, page, now)
        if len(page) < BATCH:
            return count
        last = page[-1]
