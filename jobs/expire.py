"""Writes down what the clock has ended: stamps, vouchers, requests at the till.

In batches, so that a stamp never waits for the whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.actions.expire import expire_due
from jobs.parts import Parts

BATCH = 200


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """End all that is due at `now`; how much there was."""
    count = 0
    while n := await parts.db.write(expire_due, now, BATCH):
        count += n
    return {"ended": count}
