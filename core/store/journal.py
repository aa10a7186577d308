"""The operation and usage log: who did what, when. Rows are only added or expire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.database import Tx
from core.ids import new_id
from core.rules.types import MerchantId
from core.store.tables import journal

_INSERT = journal.insert()


def note(
    tx: Tx,
    merchant_id: MerchantId | None,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    **detail: Any,
) -> None:
    """Log one act: `actor` did `action` ("stamp.granted") to `subject`."""
    row = {
        "id": new_id(now),
        "merchant_id": merchant_id,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": detail,
        "at": now,
    }
    tx.execute(_INSERT, row)


def drop_before(tx: Tx, before: datetime, limit: int) -> int:
    """Delete up to `limit` log rows older than `before`; how many went."""
    old = select(journal.c.id).where(journal.c.at < before).limit(limit)
    return tx.execute(journal.delete().where(journal.c.id.in_(old))).rowcount
