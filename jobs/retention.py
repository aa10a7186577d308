"""Deletes what was kept long enough: log rows, sessions, the text of LINE events and
who wrote them, replaced secrets, webhook deliveries, the phones of people who left,
codes that are good once and were scanned.

In batches, so that a stamp never waits for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, select, tuple_

from core.actions.hooks import drop_deliveries_before
from core.actions.journal import drop_before
from core.actions.line_setup import PREVIOUS_LIVES
from core.actions.notices import drop_told_before
from core.database import Database, Tx
from core.store.barcodes import drop_used_before
from core.store.erasing import forget_devices
from core.store.merchants import drop_previous_secrets
from core.store.pins import drop_places_before
from core.store.staff import drop_sessions_before
from core.store.tables import inbox
from core.store.till_codes import drop_unclaimed_codes
from jobs.parts import Parts

BATCH = 1000
# What people write is theirs: for as long as somebody may ask why it was answered so.
# https://terms2.line.me/LINE_Developers_user_data_policy
TEXT_DAYS = 1
INBOX_DAYS = 30
HOOK_DAYS = 30
# A till in auto mode makes 2,880 codes a day; what was claimed is part of the history.
CODE_DAYS = 30
# A phone that was off must still learn that its pass is void.
DEVICE_DAYS = 30
# Wrong PINs are forgiven within hours: then nothing is left to be remembered.
PIN_DAYS = 7
# A till without network may send for a day what it scanned.
BARCODE_DAYS = 2


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Delete all that is due; how many of each.

    A log row goes once it is older than `log_days` days. A LINE event loses its text
    after a day and its person after thirty. Its id stays for ever: without it, an old
    signed webhook could be played again.
    """
    db, days = parts.db, timedelta(days=1)
    old: dict[str, tuple[Callable[[Tx, datetime, int], int], int]] = {
        "log_rows": (drop_before, parts.settings.log_days),
        "event_bodies": (wipe_bodies, TEXT_DAYS),
        "event_people": (wipe_people, INBOX_DAYS),
        "hook_deliveries": (drop_deliveries_before, HOOK_DAYS),
        "devices": (forget_devices, DEVICE_DAYS),
        "codes": (drop_unclaimed_codes, CODE_DAYS),
        "pin_places": (drop_places_before, PIN_DAYS),
        "barcodes": (drop_used_before, BARCODE_DAYS),
        "notices": (drop_told_before, parts.settings.log_days),
    }
    return {
        "sessions": await db.write(drop_sessions_before, now),
        "old_secrets": await db.write(drop_previous_secrets, PREVIOUS_LIVES, now),
        **{
            name: await _drop_all(db, drop, now - n * days)
            for name, (drop, n) in old.items()
        },
    }


async def _drop_all(
    db: Database, drop: Callable[[Tx, datetime, int], int], before: datetime
) -> int:
    n_all = 0
    while n := await db.write(drop, before, BATCH):
        n_all += n
    return n_all


def wipe_bodies(tx: Tx, before: datetime, limit: int) -> int:
    """Empty up to `limit` events that were finished before then; how many."""
    return _wipe(tx, inbox.c.body, before, limit)


def wipe_people(tx: Tx, before: datetime, limit: int) -> int:
    """Forget who was behind up to `limit` events finished before then; how many."""
    return _wipe(tx, inbox.c.person, before, limit)


def _wipe(tx: Tx, column: Column[str], before: datetime, limit: int) -> int:
    key = (inbox.c.merchant_id, inbox.c.event_id)
    is_over = (inbox.c.state == "done") & (inbox.c.finished_at < before)
    old = select(*key).where(is_over, column != "").limit(limit)
    wiped = inbox.update().where(tuple_(*key).in_(old)).values({column.name: ""})
    return tx.execute(wiped).rowcount
