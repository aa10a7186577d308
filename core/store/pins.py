"""Wrong PINs, counted by the place where they were typed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from core.database import Tx
from core.rules.types import MerchantId
from core.store.tables import pin_lock
from core.store.upsert import put_if_new


def lock_place(tx: Tx, merchant_id: MerchantId, place: str, now: datetime) -> Row[Any]:
    """The place's count, held until the transaction ends: guesses go one by one.

    The row is made before it is locked, so that the very first guesses of a place
    wait for each other too.
    """
    row = {
        "merchant_id": merchant_id,
        "place": place,
        "failures": 0,
        "failed_at": now,
        "locked_until": None,
    }
    put_if_new(tx, pin_lock, row, "merchant_id", "place")
    here = _at(merchant_id, place)
    return tx.execute(select(pin_lock).where(here).with_for_update()).one()


def note_failure(
    tx: Tx,
    merchant_id: MerchantId,
    place: str,
    failures: int,
    locked_until: datetime | None,
    now: datetime,
) -> None:
    """So many wrong PINs count at this (locked) place now."""
    values = {"failures": failures, "failed_at": now, "locked_until": locked_until}
    tx.execute(pin_lock.update().where(_at(merchant_id, place)).values(values))


def drop_places_before(tx: Tx, before: datetime, limit: int) -> int:
    """Forget up to `limit` places at which nothing was wrong since then; how many."""
    key = (pin_lock.c.merchant_id, pin_lock.c.place)
    old = tx.execute(select(*key).where(pin_lock.c.failed_at < before).limit(limit))
    rows = old.all()
    for row in rows:
        here = _at(MerchantId(row.merchant_id), row.place)
        tx.execute(pin_lock.delete().where(here))
    return len(rows)


def _at(merchant_id: MerchantId, place: str) -> Any:
    return (pin_lock.c.merchant_id == merchant_id) & (pin_lock.c.place == place)
