"""Notices: what is to be said to customers, each once, and who may be reached how."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, or_, select, true

from core.database import Tx
from core.rules.reminding import Kind, Notice, NoticeId, NoticeState
from core.rules.types import (
    Card,
    CardId,
    CustomerId,
    IssuerName,
    MerchantId,
)
from core.store.tables import card, customer, held_pass, notice
from core.store.upsert import put_if_new

OPEN: tuple[NoticeState, ...] = ("waiting", "queued", "replying")
_UNIQUE = ("merchant_id", "customer_id", "kind", "occasion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How somebody can be told: in which wallets, and as whom in LINE ("": not)."""

    wallets: frozenset[IssuerName]
    line_user_id: str


def add_notice(
    tx: Tx,
    held: Card,
    kind: Kind,
    occasion: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> NoticeId | None:
    """A notice for the holder of a card; None where it was made before."""
    row = {
        "merchant_id": held.merchant_id,
        "id": str(uuid.uuid4()),
        "customer_id": held.customer_id,
        "card_id": held.id,
        "kind": kind,
        "occasion": occasion,
        "detail": dict(detail),
        "state": "waiting",
        "made_at": now,
    }
    is_new = put_if_new(tx, notice, row, *_UNIQUE)
    return NoticeId(str(row["id"])) if is_new else None


def was_made(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, kind: Kind, occasion: str
) -> bool:
    """Was this notice made for the person, also as one who was linked to them?"""
    found = tx.execute(
        select(notice.c.id).where(
            _of_person(merchant_id, customer_id),
            notice.c.kind == kind,
            notice.c.occasion == occasion,
        )
    )
    return found.first() is not None


def load_notice(
    tx: Tx, merchant_id: MerchantId, notice_id: NoticeId, *, lock: bool = False
) -> Notice | None:
    """One notice, or None."""
    statement = select(notice).where(_mine(merchant_id, notice_id))
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _notice(row)


def update_notice(tx: Tx, held: Notice, **values: Any) -> None:
    """Change columns of one (locked) notice."""
    tx.execute(notice.update().where(_mine(held.merchant_id, held.id)).values(values))


def open_notices(
    tx: Tx, merchant_id: MerchantId, after: NoticeId | None, limit: int
) -> list[Notice]:
    """Those that wait for a way to be told, by id; a page of those `after` one."""
    statement = select(notice).where(
        notice.c.merchant_id == merchant_id,
        notice.c.state.in_(("waiting", "queued")),
        notice.c.id > after if after is not None else true(),
    )
    rows = tx.execute(statement.order_by(notice.c.id).limit(limit))
    return [_notice(row) for row in rows]


def has_open_notices(tx: Tx, merchant_id: MerchantId) -> bool:
    """Is there anything that the next answer to somebody may have to tell?"""
    found = tx.execute(
        select(notice.c.id)
        .where(notice.c.merchant_id == merchant_id, notice.c.state.in_(OPEN))
        .limit(1)
    )
    return found.first() is not None


def notices_of_person(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Notice]:
    """What an answer to this person may tell, oldest first; locked."""
    rows = tx.execute(
        select(notice)
        .where(_of_person(merchant_id, customer_id), notice.c.state.in_(OPEN))
        # In the order in which everybody locks several, then in that of the reader.
        .order_by(notice.c.id)
        .with_for_update()
    )
    return sorted(map(_notice, rows.all()), key=lambda each: (each.made_at, each.kind))


def failed_notices(
    tx: Tx, merchant_id: MerchantId, since: datetime, limit: int
) -> list[tuple[Notice, str]]:
    """Those whose push failed since then, newest first, each with a name."""
    statement: Select[Any] = (
        select(notice, customer.c.name)
        .join(
            customer,
            (customer.c.merchant_id == notice.c.merchant_id)
            & (customer.c.id == notice.c.customer_id),
        )
        .where(
            notice.c.merchant_id == merchant_id,
            notice.c.error != "",
            notice.c.made_at >= since,
        )
        .order_by(notice.c.made_at.desc(), notice.c.id)
        .limit(limit)
    )
    return [(_notice(row), row.name) for row in tx.execute(statement)]


def stuck_replies(tx: Tx, merchant_id: MerchantId, before: datetime) -> int:
    """Answers that carried news and never ended by then: the news wait again."""
    stuck = (
        (notice.c.merchant_id == merchant_id)
        & (notice.c.state == "replying")
        & (notice.c.told_at < before)
    )
    back = {"state": "waiting", "route": "", "told_at": None}
    return tx.execute(notice.update().where(stuck).values(back)).rowcount


def drop_told_before(tx: Tx, before: datetime, limit: int) -> int:
    """Delete up to `limit` notices that were made and ended before then; how many."""
    old = (
        select(notice.c.id)
        .where(notice.c.made_at < before, notice.c.state.in_(("told", "dropped")))
        .limit(limit)
    )
    return tx.execute(notice.delete().where(notice.c.id.in_(old))).rowcount


def reach_of(tx: Tx, merchant_id: MerchantId, held: Card) -> Reach:
    """Where the holder of this card can be told something."""
    group = select(card.c.id).where(
        card.c.merchant_id == merchant_id,
        or_(card.c.id == held.id, card.c.merged_into == held.id),
    )
    wallets = tx.execute(
        select(held_pass.c.issuer).where(
            held_pass.c.merchant_id == merchant_id,
            held_pass.c.card_id.in_(group),
            held_pass.c.installed.is_(True),
            held_pass.c.replaced_at.is_(None),
        )
    )
    is_friend = customer.c.followed_at.is_not(None) & or_(
        customer.c.unfollowed_at.is_(None),
        customer.c.unfollowed_at < customer.c.followed_at,
    )
    friend = tx.execute(
        select(customer.c.line_user_id)
        .where(
            customer.c.merchant_id == merchant_id,
            or_(
                customer.c.id == held.customer_id,
                customer.c.merged_into == held.customer_id,
            ),
            customer.c.line_user_id.is_not(None),
            customer.c.erased_at.is_(None),
            is_friend,
        )
        .order_by(customer.c.merged_into.is_not(None), customer.c.id)
        .limit(1)
    ).first()
    return Reach(
        wallets=frozenset(row.issuer for row in wallets),
        line_user_id=friend.line_user_id if friend else "",
    )


def shown_notice(tx: Tx, held: Card) -> Notice | None:
    """The notice that was put on the passes of a card last, or None."""
    rows = tx.execute(
        select(notice).where(
            _of_person(held.merchant_id, held.customer_id),
            notice.c.card_id == held.id,
            notice.c.state != "dropped",
        )
    )
    shown = [found for found in map(_notice, rows) if found.detail.get("shown_at")]
    return max(shown, key=lambda found: str(found.detail["shown_at"]), default=None)


def made_of(
    tx: Tx,
    merchant_id: MerchantId,
    kind: Kind,
    occasions: Mapping[str, CustomerId],
) -> set[str]:
    """Which of these occasions, each of a customer, have a notice already."""
    rows = tx.execute(
        select(notice.c.occasion).where(
            notice.c.merchant_id == merchant_id,
            notice.c.customer_id.in_(set(occasions.values())),
            notice.c.kind == kind,
            notice.c.occasion.in_(occasions),
        )
    )
    return {row.occasion for row in rows}


def _mine(merchant_id: MerchantId, notice_id: NoticeId) -> ColumnElement[bool]:
    return (notice.c.merchant_id == merchant_id) & (notice.c.id == notice_id)


def _of_person(merchant_id: MerchantId, customer_id: CustomerId) -> ColumnElement[bool]:
    people = select(customer.c.id).where(
        customer.c.merchant_id == merchant_id,
        or_(customer.c.id == customer_id, customer.c.merged_into == customer_id),
    )
    return (notice.c.merchant_id == merchant_id) & notice.c.customer_id.in_(people)


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        id=NoticeId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        customer_id=CustomerId(row.customer_id),
        card_id=None if row.card_id is None else CardId(row.card_id),
        kind=row.kind,
        detail=row.detail,
        state=row.state,
        route=row.route,
        error=row.error,
        made_at=row.made_at,
        told_at=row.told_at,
    )
