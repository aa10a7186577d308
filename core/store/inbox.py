"""LINE events, each kept once before it is answered 200."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, or_, select

from core.database import Tx
from core.ids import first_id
from core.rules.types import MerchantId
from core.store.tables import inbox
from core.store.upsert import insert_into

# Built once: to build a statement costs more than to run it.
_MINE = (inbox.c.merchant_id == bindparam("of_merchant")) & (
    inbox.c.event_id == bindparam("of_event")
)
_AT = inbox.c.due_at.type


def _due() -> Select[Any]:
    earlier = inbox.alias("earlier")
    is_before = (earlier.c.happened_at < inbox.c.happened_at) | (
        (earlier.c.happened_at == inbox.c.happened_at)
        & (earlier.c.event_id < inbox.c.event_id)
    )
    has_earlier = (
        select(earlier.c.event_id)
        .where(
            earlier.c.state == "waiting",
            earlier.c.merchant_id == inbox.c.merchant_id,
            earlier.c.person == inbox.c.person,
            inbox.c.person != "",
            is_before,
        )
        .exists()
    )
    now = bindparam("now", type_=_AT)
    return (
        select(inbox)
        .where(
            inbox.c.state == "waiting",
            inbox.c.due_at <= now,
            or_(inbox.c.lease_until.is_(None), inbox.c.lease_until <= now),
            ~has_earlier,
        )
        .order_by(inbox.c.happened_at, inbox.c.event_id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=inbox)
    )


_DUE = _due()
_LEASE = (
    inbox.update()
    .where(_MINE)
    .values(lease_until=bindparam("until", type_=_AT), attempts=inbox.c.attempts + 1)
)
_FINISH = (
    inbox.update()
    .where(_MINE)
    .values(
        state="done",
        note=bindparam("said"),
        finished_at=bindparam("now", type_=_AT),
        lease_until=None,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One event of a webhook. `person` is "" where LINE names nobody."""

    event_id: str
    person: str
    happened_at: datetime
    reply_deadline: datetime
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """One kept event, leased to one worker."""

    merchant_id: MerchantId
    event_id: str
    person: str
    happened_at: datetime
    received_at: datetime
    reply_deadline: datetime
    body: str
    attempts: int


def keep_events(
    tx: Tx, merchant_id: MerchantId, events: Sequence[NewEvent], now: datetime
) -> int:
    """Keep each event once by its id; how many were new."""
    if not events:
        return 0
    rows = [
        {
            "merchant_id": merchant_id,
            "event_id": event.event_id,
            "person": event.person,
            "body": event.body,
            "state": "waiting",
            "attempts": 0,
            "happened_at": event.happened_at,
            "received_at": now,
            "reply_deadline": event.reply_deadline,
            "due_at": now,
        }
        for event in events
    ]
    statement = insert_into(tx, inbox).on_conflict_do_nothing(
        index_elements=["merchant_id", "event_id"]
    )
    kept = tx.execute(statement.returning(inbox.c.event_id), rows).all()
    if kept:
        tx.signal("inbox")
    if len(kept) < len(events):
        _renew_deadlines(tx, merchant_id, events, {row.event_id for row in kept})
    return len(kept)


def _renew_deadlines(
    tx: Tx, merchant_id: MerchantId, events: Sequence[NewEvent], new: set[str]
) -> None:
    # A redelivered event's reply token lives again for as long as it is unused.
    for event in events:
        if event.event_id not in new:
            tx.execute(
                inbox.update()
                .where(
                    inbox.c.merchant_id == merchant_id,
                    inbox.c.event_id == event.event_id,
                    inbox.c.state == "waiting",
                    inbox.c.reply_deadline < event.reply_deadline,
                )
                .values(reply_deadline=event.reply_deadline)
            )


def take_events(
    tx: Tx, limit: int, lease_seconds: float, now: datetime
) -> list[KeptEvent]:
    """Lease up to `limit` events, oldest first, at most one a person."""
    rows = tx.execute(_DUE, {"now": now, "most": limit}).all()
    if rows:
        until = now + timedelta(seconds=lease_seconds)
        leases = [
            {"of_merchant": r.merchant_id, "of_event": r.event_id, "until": until}
            for r in rows
        ]
        tx.execute(_LEASE, leases)
    return [
        KeptEvent(
            merchant_id=MerchantId(r.merchant_id),
            event_id=r.event_id,
            person=r.person,
            happened_at=r.happened_at,
            received_at=r.received_at,
            reply_deadline=r.reply_deadline,
            body=r.body,
            attempts=r.attempts,
        )
        for r in rows
    ]


def has_written_again(
    tx: Tx, merchant_id: MerchantId, person: str, event_id: str
) -> bool:
    """Does another event of this person wait for its answer?"""
    others = select(inbox.c.event_id).where(
        inbox.c.merchant_id == merchant_id,
        inbox.c.person == person,
        inbox.c.state == "waiting",
        inbox.c.event_id != event_id,
    )
    return tx.execute(others.limit(1)).first() is not None


def events_of_person(
    tx: Tx, merchant_id: MerchantId, person: str, since: datetime
) -> list[tuple[str, str]]:
    """The id and body of what was done for this person since then.

    LINE's ids of events are ULIDs, which begin with the time, so the primary key finds
    those of a few days among all that are kept for ever.
    https://developers.line.biz/en/reference/messaging-api/#common-properties
    """
    rows = tx.execute(
        select(inbox.c.event_id, inbox.c.body).where(
            inbox.c.merchant_id == merchant_id,
            inbox.c.event_id >= first_id(since),
            inbox.c.person == person,
            inbox.c.state == "done",
            inbox.c.body != "",
        )
    )
    return [(row.event_id, row.body) for row in rows]


def replace_body(tx: Tx, merchant_id: MerchantId, event_id: str, body: str) -> None:
    """Keep this of an event instead of what it said."""
    _update(tx, merchant_id, event_id, {"body": body})


def release_inbox(tx: Tx) -> None:
    """Let go of every lease; only right where nobody else can be at work."""
    held = inbox.c.lease_until.is_not(None)
    tx.execute(inbox.update().where(held).values(lease_until=None))


def finish_event(
    tx: Tx, merchant_id: MerchantId, event_id: str, note: str, now: datetime
) -> None:
    """The event is done with; the next one of the same person may go."""
    mine = {"of_merchant": merchant_id, "of_event": event_id}
    tx.execute(_FINISH, {**mine, "said": note[:200], "now": now})
    tx.signal("inbox")


def retry_event(
    tx: Tx, merchant_id: MerchantId, event_id: str, due_at: datetime
) -> None:
    """Give the lease back; the event is due again at `due_at`."""
    _update(tx, merchant_id, event_id, {"due_at": due_at, "lease_until": None})


def _update(tx: Tx, merchant_id: str, event_id: str, values: dict[str, object]) -> None:
    mine = {"of_merchant": merchant_id, "of_event": event_id}
    tx.execute(inbox.update().where(_MINE).values(values), mine)
