"""The outbox: what must be told to others, as desired state.

A row says that `topic` is behind while `wanted > done`. Whoever delivers sends the
current state and sets `done` to the `wanted` it read: ten stamps are one update.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, literal, or_, select, true

from core.database import Tx
from core.rules.types import MerchantId
from core.store.tables import outbox
from core.store.upsert import insert_into

STAMP, REDESIGN = 0, 5
# From here on a topic is one of very many, and goes in a slow lane of its own.
AT_LEISURE = 6
# What failed because a merchant's connection is wrong says so before its reason.
HALTED = "halted: "


@dataclass(frozen=True, slots=True)
class Delivery:
    """One topic that is behind, leased to one worker."""

    merchant_id: MerchantId
    topic: str
    wanted: int
    attempts: int
    priority: int = STAMP

    @property
    def at_leisure(self) -> bool:
        """Is it one of very many, which stand back for everything else?"""
        return self.priority >= AT_LEISURE


def announce(
    tx: Tx, merchant_id: MerchantId, topic: str, now: datetime, priority: int = STAMP
) -> None:
    """Say in this transaction that `topic` changed."""
    row = {
        "merchant_id": merchant_id,
        "topic": topic,
        "wanted": 1,
        "done": 0,
        "priority": priority,
        "attempts": 0,
        "dead": False,
        "first_at": now,
        "due_at": now,
    }
    _bump(tx, insert_into(tx, outbox).values(row), now)


def announce_all(tx: Tx, rows: Select[tuple[str, str, int]], now: datetime) -> None:
    """Announce every (merchant_id, topic) of `rows`, behind any stamp's update.

    The third column is the place in the slow lane, from `AT_LEISURE` on.
    """
    merchant_id, topic, priority = rows.selected_columns
    source = rows.with_only_columns(
        merchant_id,
        topic,
        literal(1),
        literal(0),
        priority,
        literal(0),
        literal(False),
        literal(now, outbox.c.first_at.type),
        literal(now, outbox.c.due_at.type),
    )
    names = [
        "merchant_id",
        "topic",
        "wanted",
        "done",
        "priority",
        "attempts",
        "dead",
        "first_at",
        "due_at",
    ]
    _bump(tx, insert_into(tx, outbox).from_select(names, source), now)


def take_deliveries(
    tx: Tx,
    limit: int,
    lease_seconds: float,
    now: datetime,
    but: Collection[MerchantId] = (),
    *,
    only: str | None = None,
    never: str | None = None,
    leisure: int | None = None,
    resting: Collection[MerchantId] = (),
) -> list[Delivery]:
    """Lease up to `limit` topics that are behind and due, stamps first.

    `but` names merchants that have had their share for now; `only` and `never` a kind
    of topics ("hook") that is taken alone, or not at all. Of the slow lane are at most
    `leisure` among them (None: any number), and none of the merchants `resting`.
    """
    kind: ColumnElement[bool] = true()
    if only is not None:
        kind = outbox.c.topic.startswith(f"{only}:")
    if never is not None:
        kind = ~outbox.c.topic.startswith(f"{never}:")
    lane: ColumnElement[bool] = outbox.c.priority < AT_LEISURE
    if leisure is None or leisure > 0:
        lane = or_(lane, outbox.c.merchant_id.not_in(resting))
    rows = tx.execute(
        select(outbox)
        .where(
            outbox.c.wanted > outbox.c.done,
            outbox.c.dead.is_(False),
            outbox.c.due_at <= now,
            outbox.c.merchant_id.not_in(but),
            kind,
            lane,
            or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now),
        )
        .order_by(outbox.c.priority, outbox.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    found = [
        Delivery(MerchantId(r.merchant_id), r.topic, r.wanted, r.attempts, r.priority)
        for r in rows
    ]
    if leisure is not None:
        urgent = [delivery for delivery in found if not delivery.at_leisure]
        # The slow lane comes last in the order.
        found = found[: len(urgent) + leisure]
    for delivery in found:
        until = now + timedelta(seconds=lease_seconds)
        _update(tx, delivery, {"lease_until": until})
    return found


def release_outbox(tx: Tx) -> None:
    """Let go of every lease; only right where nobody else can be at work."""
    held = outbox.c.lease_until.is_not(None)
    tx.execute(outbox.update().where(held).values(lease_until=None))


def deliver_done(tx: Tx, delivery: Delivery, now: datetime) -> None:
    """The state of `delivery.wanted` has arrived."""
    _update(
        tx,
        delivery,
        {
            "done": delivery.wanted,
            "lease_until": None,
            "attempts": 0,
            "error": "",
            "due_at": now,
        },
    )


def deliver_failed(
    tx: Tx,
    delivery: Delivery,
    *,
    error: str,
    due_at: datetime,
    dead: bool,
    halts: bool = False,
) -> None:
    """It did not arrive: again at `due_at`, or never while `dead`.

    `halts`: nothing of the merchant's arrives at that platform.
    """
    said = f"{HALTED}{error}" if halts else error
    _update(
        tx,
        delivery,
        {
            "lease_until": None,
            "attempts": outbox.c.attempts + 1,
            "error": said[:500],
            "due_at": due_at,
            "dead": dead,
        },
    )


def _bump(tx: Tx, insert: Any, now: datetime) -> None:
    priority = insert.excluded.priority
    idle = or_(outbox.c.wanted == outbox.c.done, outbox.c.dead.is_(True))
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["merchant_id", "topic"],
            set_={
                "wanted": outbox.c.wanted + 1,
                # What waits after a failure keeps its back-off.
                "due_at": case(
                    (idle, literal(now, outbox.c.due_at.type)), else_=outbox.c.due_at
                ),
                "first_at": case(
                    (idle, literal(now, outbox.c.first_at.type)),
                    else_=outbox.c.first_at,
                ),
                "attempts": case((idle, 0), else_=outbox.c.attempts),
                "priority": case(
                    (idle, priority),
                    (outbox.c.priority < priority, outbox.c.priority),
                    else_=priority,
                ),
                "dead": False,
            },
        )
    )
    tx.signal("outbox")


def _update(tx: Tx, delivery: Delivery, values: dict[str, object]) -> None:
    mine = (outbox.c.merchant_id == delivery.merchant_id) & (
        outbox.c.topic == delivery.topic
    )
    tx.execute(outbox.update().where(mine).values(values))
