"""The log of webhook deliveries, and the outbox behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, cast, literal, select, tuple_

from core.database import Tx
from core.rules.hooks import HookDelivery, HookId, HookState
from core.rules.types import MerchantId
from core.store.hooks import announce_delivery, delivery_of, update_delivery
from core.store.tables import hook, hook_delivery, outbox

_TOPIC = literal("hook:", String) + cast(hook_delivery.c.id, String)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDelivery:
    """A line of the log. `url` is "" for a webhook that was removed.

    `next_at` is when it is tried next, None unless it waits.
    """

    delivery: HookDelivery
    state: HookState
    url: str
    next_at: datetime | None


def recent_deliveries(
    tx: Tx, merchant_id: MerchantId, limit: int
) -> list[LoggedDelivery]:
    """The merchant's last deliveries, newest first."""
    rows = tx.execute(
        select(hook_delivery, hook.c.url, outbox.c.dead, outbox.c.due_at)
        .outerjoin(
            hook,
            (hook.c.merchant_id == hook_delivery.c.merchant_id)
            & (hook.c.id == hook_delivery.c.hook_id),
        )
        .outerjoin(
            outbox,
            (outbox.c.merchant_id == hook_delivery.c.merchant_id)
            & (outbox.c.topic == _TOPIC),
        )
        .where(hook_delivery.c.merchant_id == merchant_id)
        .order_by(hook_delivery.c.id.desc())
        .limit(limit)
    )
    found = []
    for row in rows:
        made = delivery_of(row)
        # What the pump gave up without asking the sender is over as well.
        over = made.state == "waiting" and bool(row.dead)
        state: HookState = "failed" if over else made.state
        found.append(
            LoggedDelivery(
                delivery=made,
                state=state,
                url=row.url or "",
                next_at=row.due_at if state == "waiting" else None,
            )
        )
    return found


def try_again(tx: Tx, made: HookDelivery, now: datetime) -> None:
    """Have a delivery sent at once, whatever became of it before."""
    update_delivery(tx, made.merchant_id, made.id, state="waiting", error="")
    announce_delivery(tx, made.merchant_id, made.id, now)
    # One that waits after a failure would keep its back-off.
    mine = (outbox.c.merchant_id == made.merchant_id) & (
        outbox.c.topic == f"hook:{made.id}"
    )
    tx.execute(outbox.update().where(mine).values(due_at=now, attempts=0))


def end_waiting(tx: Tx, merchant_id: MerchantId, hook_id: HookId) -> None:
    """Send nothing more of what waits for one webhook."""
    waiting = (
        (hook_delivery.c.merchant_id == merchant_id)
        & (hook_delivery.c.hook_id == hook_id)
        & (hook_delivery.c.state == "waiting")
    )
    topics = select(_TOPIC).where(waiting)
    tx.execute(
        outbox.update()
        .where(outbox.c.merchant_id == merchant_id, outbox.c.topic.in_(topics))
        .values(done=outbox.c.wanted)
    )
    tx.execute(
        hook_delivery.update().where(waiting).values(state="failed", error="stopped")
    )


def drop_deliveries_before(tx: Tx, before: datetime, limit: int) -> int:
    """Forget up to `limit` deliveries made before then, in the outbox too; how many."""
    key = (hook_delivery.c.merchant_id, hook_delivery.c.id)
    old = tx.execute(
        select(*key).where(hook_delivery.c.made_at < before).limit(limit)
    ).all()
    if not old:
        return 0
    topics = [(row.merchant_id, f"hook:{row.id}") for row in old]
    place = tuple_(outbox.c.merchant_id, outbox.c.topic)
    tx.execute(outbox.delete().where(place.in_(topics)))
    ids = [(row.merchant_id, row.id) for row in old]
    tx.execute(hook_delivery.delete().where(tuple_(*key).in_(ids)))
    return len(old)
