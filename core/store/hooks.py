"""Outgoing webhooks: what a merchant's own systems are told, and how each try went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from core.database import Tx
from core.ids import new_id
from core.rules.hooks import (
    Hook,
    HookDelivery,
    HookDeliveryId,
    HookEvent,
    HookId,
)
from core.rules.types import Merchant, MerchantId
from core.store.outbox import announce
from core.store.tables import hook, hook_delivery, merchant

# Behind every stamp's pass: a merchant's slow server must not hold up a wallet.
_PRIORITY = 2


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
    data = {name: value for name, value in ids.items() if value is not None}
    for told in list_hooks(tx, merchant.id):
        if event in told.events and told.stopped_at is None:
            put_delivery(tx, told, event, event_id, data, now)


def put_delivery(
    tx: Tx,
    told: Hook,
    event: str,
    event_id: str,
    data: Mapping[str, str],
    now: datetime,
) -> HookDeliveryId:
    """Have one event sent to one webhook."""
    delivery_id = HookDeliveryId(new_id(now))
    tx.execute(
        hook_delivery.insert().values(
            merchant_id=told.merchant_id,
            id=delivery_id,
            hook_id=told.id,
            event_id=event_id,
            type=event,
            data=dict(data),
            state="waiting",
            made_at=now,
        )
    )
    announce_delivery(tx, told.merchant_id, delivery_id, now)
    return delivery_id


def announce_delivery(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId, now: datetime
) -> None:
    """Have a delivery tried (again)."""
    announce(tx, merchant_id, f"hook:{delivery_id}", now, _PRIORITY)


def list_hooks(tx: Tx, merchant_id: MerchantId) -> list[Hook]:
    """The merchant's webhooks, oldest first."""
    rows = tx.execute(
        select(hook).where(hook.c.merchant_id == merchant_id).order_by(hook.c.id)
    )
    return [_hook(row) for row in rows]


def load_hook(tx: Tx, merchant_id: MerchantId, hook_id: HookId) -> Hook | None:
    """One webhook, or None."""
    row = tx.execute(select(hook).where(_the_hook(merchant_id, hook_id))).first()
    return None if row is None else _hook(row)


def add_hook(tx: Tx, made: Hook) -> None:
    """Keep a new webhook."""
    tx.execute(
        hook.insert().values(
            merchant_id=made.merchant_id,
            id=made.id,
            url=made.url,
            sealed_secret=made.sealed_secret,
            events=list(made.events),
            created_at=made.created_at,
        )
    )
    _note_hooks(tx, made.merchant_id)


def update_hook(
    tx: Tx, merchant_id: MerchantId, hook_id: HookId, **values: Any
) -> None:
    """Change columns of one webhook."""
    tx.execute(hook.update().where(_the_hook(merchant_id, hook_id)).values(values))
    _note_hooks(tx, merchant_id)


def drop_hook(tx: Tx, merchant_id: MerchantId, hook_id: HookId) -> None:
    """Forget a webhook; the log of its deliveries stays."""
    tx.execute(hook.delete().where(_the_hook(merchant_id, hook_id)))
    _note_hooks(tx, merchant_id)


def load_delivery(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId
) -> HookDelivery | None:
    """One delivery, or None."""
    mine = _the_delivery(merchant_id, delivery_id)
    row = tx.execute(select(hook_delivery).where(mine)).first()
    return None if row is None else delivery_of(row)


def update_delivery(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId, **values: Any
) -> None:
    """Change columns of one delivery."""
    mine = _the_delivery(merchant_id, delivery_id)
    tx.execute(hook_delivery.update().where(mine).values(values))


def count_try(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId, **values: Any
) -> None:
    """One more try of a delivery, and what came of it."""
    values["tries"] = hook_delivery.c.tries + 1
    update_delivery(tx, merchant_id, delivery_id, **values)


def delivery_of(row: Row[Any]) -> HookDelivery:
    """The delivery of a row of the table."""
    return HookDelivery(
        id=HookDeliveryId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        hook_id=HookId(row.hook_id),
        event_id=row.event_id,
        type=row.type,
        data=row.data,
        body=row.body,
        state=row.state,
        tries=row.tries,
        status=row.status,
        error=row.error,
        made_at=row.made_at,
        tried_at=row.tried_at,
    )


def _note_hooks(tx: Tx, merchant_id: MerchantId) -> None:
    """Note on the merchant whether anybody is told, so that stamps need not look."""
    told = (hook.c.merchant_id == merchant_id) & hook.c.stopped_at.is_(None)
    has_hooks = tx.execute(select(hook.c.id).where(told).limit(1)).first() is not None
    tx.execute(
        merchant.update()
        .where(merchant.c.id == merchant_id)
        .values(has_hooks=has_hooks)
    )


def _the_hook(merchant_id: MerchantId, hook_id: HookId) -> ColumnElement[bool]:
    return (hook.c.merchant_id == merchant_id) & (hook.c.id == hook_id)


def _the_delivery(
    merchant_id: MerchantId, delivery_id: HookDeliveryId
) -> ColumnElement[bool]:
    return (hook_delivery.c.merchant_id == merchant_id) & (
        hook_delivery.c.id == delivery_id
    )


def _hook(row: Row[Any]) -> Hook:
    return Hook(
        id=HookId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        url=row.url,
        events=tuple(row.events),
        sealed_secret=row.sealed_secret,
        created_at=row.created_at,
        stopped_at=row.stopped_at,
    )
