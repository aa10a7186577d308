"""Which state of an Apple pass a phone has fetched, and whom a push did not reach."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select

from core.database import Tx
from core.rules.types import MerchantId, PassId
from core.store.outbox import AT_LEISURE, announce
from core.store.passes import GOOD, TOPIC
from core.store.tables import held_pass, outbox, pass_device

# A phone that will come by itself has come by then.
UNSEEN_AFTER = timedelta(hours=3)
# Whoever is away for longer asks for what changed when their phone is on again.
UNSEEN_UNTIL = timedelta(days=3)

# Behind redesigns: it may be that nobody misses anything.
_PLACE = AT_LEISURE + 4
_BEHIND = exists().where(
    outbox.c.merchant_id == held_pass.c.merchant_id,
    outbox.c.topic == TOPIC,
    outbox.c.wanted > outbox.c.done,
)
_ON_A_PHONE = exists().where(
    pass_device.c.merchant_id == held_pass.c.merchant_id,
    pass_device.c.pass_id == held_pass.c.id,
)


def note_fetched(
    tx: Tx, merchant_id: MerchantId, pass_id: PassId, changed_at: int
) -> None:
    """A phone has the pass as it was at `changed_at`, or has had a later one."""
    tx.execute(
        held_pass.update()
        .where(
            held_pass.c.merchant_id == merchant_id,
            held_pass.c.id == pass_id,
            held_pass.c.fetched < changed_at,
        )
        .values(fetched=changed_at)
    )


def find_unfetched(
    tx: Tx, merchant_id: MerchantId, after: PassId | None, limit: int, now: datetime
) -> list[PassId]:
    """Up to `limit` passes, in order of ids `after` one, whose phones missed a change.

    Not those that are still to be pushed anyway, nor those that were pushed once more.
    """
    rows = select(held_pass.c.id).where(_unfetched(merchant_id, now))
    if after is not None:
        rows = rows.where(held_pass.c.id > after)
    found = tx.execute(rows.order_by(held_pass.c.id).limit(limit))
    return [PassId(row.id) for row in found]


def nudge(
    tx: Tx, merchant_id: MerchantId, pass_ids: list[PassId], now: datetime
) -> int:
    """Announce those of these passes whose phones still miss a change; how many."""
    mine = _unfetched(merchant_id, now) & held_pass.c.id.in_(pass_ids)
    rows = tx.execute(
        held_pass.update()
        .where(mine)
        .values(nudged=held_pass.c.changed_at)
        .returning(held_pass.c.id)
    ).all()
    for row in rows:
        announce(tx, merchant_id, f"pass:{row.id}", now, _PLACE)
    return len(rows)


def _unfetched(merchant_id: MerchantId, now: datetime) -> ColumnElement[bool]:
    newest, oldest = (int((now - t).timestamp()) for t in (UNSEEN_AFTER, UNSEEN_UNTIL))
    return (
        (held_pass.c.merchant_id == merchant_id)
        & (held_pass.c.issuer == "apple")
        & GOOD
        & held_pass.c.installed
        & held_pass.c.changed_at.between(oldest, newest)
        & (held_pass.c.fetched < held_pass.c.changed_at)
        & (held_pass.c.nudged < held_pass.c.changed_at)
        & _ON_A_PHONE
        & ~_BEHIND
    )
