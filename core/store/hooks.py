"""Outgoing webhooks: what a merchant's own systems are told, and how each try went."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select

from core.database import Tx
from core.ids import new_id
from core.rules.types import Merchant
from core.store.outbox import announce
from core.store.tables import hook, hook_delivery

HookEvent = Literal[
    "card.issued",
    "stamp.granted",
    "stamp.undone",
    "voucher.issued",
    "voucher.redeemed",
    "pass.installed",
    "pass.removed",
]


def emit(
    tx: Tx, merchant: Merchant, event: HookEvent, now: datetime, **ids: str | None
) -> None:
    """Tell the merchant's webhooks of `event`, in this transaction.

    `ids` name what it is about (`card`, `entry`, `voucher`, `pass`); who delivers looks
    the rest up.
    """
    if not merchant.has_hooks:
        return
    event_id = new_id(now)
    rows = tx.execute(select(hook).where(hook.c.merchant_id == merchant.id)).all()
    for row in rows:
        if event not in row.events:
            continue
        delivery_id = new_id(now)
        tx.execute(
            hook_delivery.insert().values(
                merchant_id=merchant.id,
                id=delivery_id,
                hook_id=row.id,
                event_id=event_id,
                type=event,
                data=ids,
                state="waiting",
                made_at=now,
            )
        )
        announce(tx, merchant.id, f"hook:{delivery_id}", now)
