"""Codes to link with, and who was linked to whom."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from core.database import Tx
from core.ids import new_id
from core.rules.linking import Link, LinkCode, LinkId, Moved
from core.rules.types import CardId, CustomerId, MerchantId
from core.store.tables import card, customer, link, link_code
from core.store.upsert import put_if_new

# The instants of `Moved`; JSON has none.
_INSTANTS = ("first_stamp_at", "kept_until", "promised")


def add_link_code(
    tx: Tx, merchant_id: MerchantId, code: LinkCode, now: datetime
) -> bool:
    """Keep a fresh code; False where the merchant has these very letters already."""
    row = {
        "merchant_id": merchant_id,
        "code": code.code,
        "customer_id": code.customer_id,
        "made_at": now,
        "expires_at": code.expires_at,
    }
    return put_if_new(tx, link_code, row, "merchant_id", "code")


def find_link_code(
    tx: Tx, merchant_id: MerchantId, text: str, *, lock: bool = False
) -> LinkCode | None:
    """The code with these letters, or None."""
    statement = select(link_code).where(
        link_code.c.merchant_id == merchant_id, link_code.c.code == text
    )
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        return None
    return LinkCode(
        code=row.code,
        customer_id=CustomerId(row.customer_id),
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def is_of_another_merchant(tx: Tx, merchant_id: MerchantId, text: str) -> bool:
    """Did another merchant's customer get these letters?"""
    statement = select(link_code.c.code).where(
        link_code.c.code == text, link_code.c.merchant_id != merchant_id
    )
    return tx.execute(statement.limit(1)).first() is not None


def use_link_code(tx: Tx, merchant_id: MerchantId, text: str, now: datetime) -> None:
    """Mark a (locked) code as used."""
    mine = (link_code.c.merchant_id == merchant_id) & (link_code.c.code == text)
    tx.execute(link_code.update().where(mine).values(used_at=now))


def end_link_codes(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> None:
    """Let a customer's unused codes expire now."""
    tx.execute(
        link_code.update()
        .where(
            link_code.c.merchant_id == merchant_id,
            link_code.c.customer_id == customer_id,
            link_code.c.used_at.is_(None),
            link_code.c.expires_at > now,
        )
        .values(expires_at=now)
    )


def add_link(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    from_id: CustomerId,
    to_id: CustomerId,
    moved: tuple[Moved, ...],
    now: datetime,
) -> LinkId:
    """Remember a linking."""
    link_id = LinkId(new_id(now))
    tx.execute(
        link.insert().values(
            merchant_id=merchant_id,
            id=link_id,
            from_customer_id=from_id,
            to_customer_id=to_id,
            moved=[_to_json(each) for each in moved],
            linked_at=now,
        )
    )
    return link_id


def load_link(
    tx: Tx, merchant_id: MerchantId, link_id: LinkId, *, lock: bool = False
) -> Link | None:
    """One linking, or None."""
    statement = _of(merchant_id).where(link.c.id == link_id)
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _link(row)


def standing_links(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Link]:
    """Of whom joined this customer and was not taken apart again, oldest first."""
    rows = tx.execute(
        _of(merchant_id)
        .where(link.c.to_customer_id == customer_id, link.c.undone_at.is_(None))
        .order_by(link.c.id)
    )
    return [_link(row) for row in rows]


def end_link(tx: Tx, held: Link, now: datetime) -> None:
    """Mark a (locked) linking as taken back."""
    mine = (link.c.merchant_id == held.merchant_id) & (link.c.id == held.id)
    tx.execute(link.update().where(mine).values(undone_at=now))


def lead_on(
    tx: Tx, merchant_id: MerchantId, before: CustomerId, after: CustomerId
) -> None:
    """Who had joined `before` is now one with `after`."""
    mine = (customer.c.merchant_id == merchant_id) & (customer.c.merged_into == before)
    tx.execute(customer.update().where(mine).values(merged_into=after))


def lead_cards_on(
    tx: Tx, merchant_id: MerchantId, before: CardId, after: CardId
) -> None:
    """What led to the card `before` now leads to `after`."""
    mine = (card.c.merchant_id == merchant_id) & (card.c.merged_into == before)
    tx.execute(card.update().where(mine).values(merged_into=after))


def _of(merchant_id: MerchantId) -> Select[Any]:
    return select(link).where(link.c.merchant_id == merchant_id)


def _to_json(moved: Moved) -> dict[str, Any]:
    values = asdict(moved)
    return values | {n: values[n] and values[n].isoformat() for n in _INSTANTS}


def _from_json(data: dict[str, Any]) -> Moved:
    instants = {n: data[n] and datetime.fromisoformat(data[n]) for n in _INSTANTS}
    return Moved(**(data | instants))


def _link(row: Row[Any]) -> Link:
    return Link(
        id=LinkId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        from_id=CustomerId(row.from_customer_id),
        to_id=CustomerId(row.to_customer_id),
        moved=tuple(_from_json(each) for each in row.moved),
        linked_at=row.linked_at,
        undone_at=row.undone_at,
    )
