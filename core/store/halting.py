"""Queues that stand still, since the merchant's connection to a wallet is wrong.

A certificate that is refused fails every pass the same way: one of them asks again
after a while, and the others wait for its answer or for a new certificate.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, select

from core.database import Tx
from core.rules.types import IssuerName, MerchantId
from core.store.outbox import HALTED, Delivery
from core.store.passes import TOPIC
from core.store.tables import held_pass, outbox

_PASSES = outbox.join(
    held_pass,
    (held_pass.c.merchant_id == outbox.c.merchant_id) & (outbox.c.topic == TOPIC),
)
_BEHIND = (outbox.c.wanted > outbox.c.done) & outbox.c.dead.is_(False)


def hold_back(
    tx: Tx, delivery: Delivery, *, error: str, due_at: datetime, now: datetime
) -> None:
    """Let the merchant's other passes that are due wait until `due_at`, too."""
    merchant_id = delivery.merchant_id
    pass_id = delivery.topic.removeprefix("pass:")
    its = select(held_pass.c.issuer).where(
        held_pass.c.merchant_id == merchant_id, held_pass.c.id == pass_id
    )
    issuer = tx.execute(its).scalar()
    if issuer is None:
        return
    idle = outbox.c.lease_until.is_(None) | (outbox.c.lease_until <= now)
    # What somebody else has in hand is theirs: no two wait for each other's rows.
    topics = (
        select(outbox.c.topic)
        .select_from(_PASSES)
        .where(_of(merchant_id, issuer), _BEHIND, outbox.c.due_at <= now, idle)
        .with_for_update(skip_locked=True, of=outbox)
    )
    mine = (outbox.c.merchant_id == merchant_id) & outbox.c.topic.in_(topics)
    values = {"due_at": due_at, "error": f"{HALTED}{error}"[:500]}
    tx.execute(outbox.update().where(mine).values(values))


def why_halted(tx: Tx, merchant_id: MerchantId, issuer: IssuerName) -> str | None:
    """Why none of a merchant's passes get on at this platform; None: they do."""
    halted = outbox.c.error.startswith(HALTED)
    row = tx.execute(
        select(outbox.c.error)
        .select_from(_PASSES)
        .where(_of(merchant_id, issuer), _BEHIND, halted)
        .limit(1)
    ).first()
    return None if row is None else str(row.error.removeprefix(HALTED))


def _of(merchant_id: MerchantId, issuer: str) -> ColumnElement[bool]:
    return (outbox.c.merchant_id == merchant_id) & (held_pass.c.issuer == issuer)
