"""Deletes what was kept long enough: log rows, sessions, the text of LINE events,
webhook deliveries, the phones of people who left.

In batches, so that a stamp never waits for the whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, tuple_

from core.actions.hooks import drop_deliveries_before
from core.actions.journal import drop_before
from core.database import Tx
from core.store.erasing import forget_devices
from core.store.staff import drop_sessions_before
from core.store.tables import inbox
from core.store.till_codes import drop_unclaimed_codes
from jobs.parts import Parts

BATCH = 1000
INBOX_DAYS = 30
HOOK_DAYS = 30
# A till in auto mode makes 2,880 codes a day; what was claimed is part of the history.
CODE_DAYS = 30
# A phone that was off must still learn that its pass is void.
DEVICE_DAYS = 30


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Delete all that is due; how many of each.

    A log row goes once it is older than `log_days` days. A LINE event's id stays for
    ever: without it, an old signed webhook could be played again.
    """
    db = parts.db
    n_sessions = await db.write(drop_sessions_before, now)
    n_rows, n_bodies, n_hooks = 0, 0, 0
    log_end = now - timedelta(days=parts.settings.log_days)
    while n := await db.write(drop_before, log_end, BATCH):
        n_rows += n
    inbox_end = now - timedelta(days=INBOX_DAYS)
    while n := await db.write(wipe_bodies, inbox_end, BATCH):
        n_bodies += n
    hook_end = now - timedelta(days=HOOK_DAYS)
    while n := await db.write(drop_deliveries_before, hook_end, BATCH):
        n_hooks += n
    n_devices = 0
    device_end = now - timedelta(days=DEVICE_DAYS)
    while n := await db.write(forget_devices, device_end, BATCH):
        n_devices += n
    n_codes = 0
    code_end = now - timedelta(days=CODE_DAYS)
    while n := await db.write(drop_unclaimed_codes, code_end, BATCH):
        n_codes += n
    return {
        "log_rows": n_rows,
        "sessions": n_sessions,
        "event_bodies": n_bodies,
        "hook_deliveries": n_hooks,
        "devices": n_devices,
        "codes": n_codes,
    }


def wipe_bodies(tx: Tx, before: datetime, limit: int) -> int:
    """Empty up to `limit` events that were finished before then; how many."""
    key = (inbox.c.merchant_id, inbox.c.event_id)
    old = (
        select(*key)
        .where(
            inbox.c.state == "done", inbox.c.finished_at < before, inbox.c.body != ""
        )
        .limit(limit)
    )
    wiped = inbox.update().where(tuple_(*key).in_(old)).values(body="", person="")
    return tx.execute(wiped).rowcount
