"""The outbox: what must be told to others, as desired state.

A row says that `topic` is behind while `wanted > done`. Whoever delivers sends the
current state and sets `done` to the `wanted` it read: ten stamps are one update.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, func, literal, or_, select

from core.database import Tx
from core.rules.types import MerchantId
from core.store.tables import outbox
from core.store.upsert import insert_into

STAMP, REDESIGN = 0, 5
# From here on a topic is one of very many, and goes in a slow lane of its own.
AT_LEISURE = 6
LAST = 11
# What failed because a merchant's connection is wrong says so before its reason.
HALTED = "halted: "

# Who waits, and where: merchant and topic.
Place = tuple[MerchantId, str]

_WAITING = (
    (outbox.c.wanted > outbox.c.done)
    & outbox.c.dead.is_(False)
    & (outbox.c.due_at <= bindparam("now"))
    & or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= bindparam("now"))
)
_OTHERS = outbox.c.merchant_id.not_in(bindparam("but", expanding=True))
_TURNS = (
    select(
        outbox.c.merchant_id,
        outbox.c.topic,
        outbox.c.priority,
        func.row_number()
        .over(
            partition_by=outbox.c.merchant_id,
            order_by=(outbox.c.priority, outbox.c.due_at),
        )
        .label("turn"),
    )
    .where(_WAITING, _OTHERS, outbox.c.priority >= AT_LEISURE)
    .subquery()
)
_AT_LEISURE = (
    select(_TURNS.c.merchant_id, _TURNS.c.topic)
    .order_by(_TURNS.c.turn, _TURNS.c.priority)
    .limit(bindparam("left"))
)
_PLACE = (
    select(outbox)
    .where(
        outbox.c.merchant_id == bindparam("of_merchant"),
        outbox.c.topic == bindparam("of_topic"),
        outbox.c.priority >= AT_LEISURE,
        _WAITING,
    )
    .with_for_update(skip_locked=True)
)


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
    at_leisure: bool = True,
) -> list[Delivery]:
    """Lease up to `limit` topics that are behind and due, stamps first.

    `but` names merchants that have had their share for now; `only` and `never` a kind
    of topics ("hook") that is taken alone, or not at all. The slow lane comes last, and
    without `at_leisure` not at all.
    """
    asked = {"now": now, "but": list(but), "left": limit}
    rows = tx.execute(_in_a_hurry(only, never), asked)
    found = [_delivery(row) for row in rows.all()]
    _lease(tx, found, lease_seconds, now)
    if at_leisure and only is None and len(found) < limit:
        places = look_at_leisure(tx, limit - len(found), now, but)
        found += take_at_leisure(tx, places, lease_seconds, now)
    return found


def look_at_leisure(
    tx: Tx, limit: int, now: datetime, but: Collection[MerchantId] = ()
) -> list[Place]:
    """The first `limit` of the slow lane, the merchants in turn; nothing is leased.

    It goes through all that waits there, so it is for a reading transaction: stamps
    must not wait for it.
    """
    rows = tx.execute(_AT_LEISURE, {"now": now, "but": list(but), "left": limit})
    return [(MerchantId(row.merchant_id), row.topic) for row in rows]


def take_at_leisure(
    tx: Tx, places: Iterable[Place], lease_seconds: float, now: datetime
) -> list[Delivery]:
    """Lease those of `places` that nobody has taken, or put into a hurry, since."""
    rows = [
        tx.execute(_PLACE, {"of_merchant": merchant_id, "of_topic": topic, "now": now})
        for merchant_id, topic in places
    ]
    found = [_delivery(row) for each in rows for row in each.all()]
    _lease(tx, found, lease_seconds, now)
    return found


def release_outbox(tx: Tx) -> None:
    """Let go of every lease; only right where nobody else can be at work."""
    held = outbox.update().where(outbox.c.lease_until.is_not(None))
    tx.execute(held.values(lease_until=None))


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


def _lease(
    tx: Tx, found: Iterable[Delivery], lease_seconds: float, now: datetime
) -> None:
    until = now + timedelta(seconds=lease_seconds)
    for delivery in found:
        _update(tx, delivery, {"lease_until": until})


@cache
def _in_a_hurry(only: str | None, never: str | None) -> Select[Any]:
    # Built once: to build a statement costs more than to run it.
    found = select(outbox).where(_WAITING, _OTHERS, outbox.c.priority < AT_LEISURE)
    if only is not None:
        found = found.where(outbox.c.topic.startswith(f"{only}:"))
    if never is not None:
        found = found.where(~outbox.c.topic.startswith(f"{never}:"))
    first = found.order_by(outbox.c.priority, outbox.c.due_at)
    return first.limit(bindparam("left")).with_for_update(skip_locked=True)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        MerchantId(row.merchant_id), row.topic, row.wanted, row.attempts, row.priority
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
