"""The ledger: append-only entries whose sum is the balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Row,
    String,
    bindparam,
    cast,
    func,
    select,
    union_all,
)

from core.database import Tx
from core.ids import new_id
from core.rules.cycle import Step
from core.rules.types import (
    Card,
    CardId,
    Entry,
    EntryId,
    How,
    MerchantId,
    ShopId,
    StaffId,
)
from core.store.tables import card, ledger_entry

# Built once: to build a statement costs more than to run it.
_COUNT = (
    card.update()
    .where(
        card.c.merchant_id == bindparam("of_merchant"),
        card.c.id == bindparam("of_card"),
    )
    .values(n_entries=card.c.n_entries + bindparam("n_steps"))
    .returning(card.c.n_entries)
)
_COUNT_AND_CHANGE = _COUNT.values(revision=card.c.revision + 1)
_INSERT = ledger_entry.insert()


def _grants() -> Any:
    entry, undo = ledger_entry, ledger_entry.alias("undo")
    merchant_id: BindParameter[str] = bindparam("of_merchant")
    card_id: BindParameter[str] = bindparam("of_card")
    undone = (
        select(undo.c.id)
        .where(undo.c.merchant_id == entry.c.merchant_id, undo.c.undoes == entry.c.id)
        .exists()
    )
    before = card.alias("before")
    led_here = select(before.c.id).where(before.c.merchant_id == merchant_id)
    cards = union_all(
        select(cast(card_id, String(40))),
        led_here.where(before.c.next_card_id == card_id),
        led_here.where(before.c.merged_into == card_id),
    )
    return (
        select(
            func.min(entry.c.at).label("at"), func.sum(entry.c.stamps).label("stamps")
        )
        .where(
            entry.c.merchant_id == merchant_id,
            entry.c.card_id.in_(cards),
            entry.c.kind == "stamp",
            entry.c.stamps > 0,
            entry.c.how != "claim",
            entry.c.at > bindparam("since", type_=entry.c.at.type),
            ~undone,
        )
        # What went to two cards, or two rounds, is one grant.
        .group_by(func.coalesce(entry.c.cause, entry.c.id))
        .order_by(func.min(entry.c.at))
    )


_GRANTS = _grants()


def append_entries(
    tx: Tx,
    held: Card,
    steps: Sequence[Step],
    *,
    how: How,
    version: int,
    now: datetime,
    shop_id: ShopId | None = None,
    staff_id: StaffId | None = None,
    reason: str = "",
    undoes: EntryId | None = None,
    cause: EntryId | None = None,
    amount: int | None = None,
    card_values: Mapping[str, Any] | None = None,
) -> list[EntryId]:
    """Append one entry a step to a (locked) card's ledger; their ids in order.

    Steps of kind "undo" counter their own `undoes`, else this one. `amount` was paid
    for the step of kind "stamp". `card_values` change the card at the same time.
    """
    mine = {"of_merchant": held.merchant_id, "of_card": held.id}
    if card_values is not None:
        tx.signal(f"card:{held.id}")
    last = tx.execute(
        _COUNT if card_values is None else _COUNT_AND_CHANGE,
        {**mine, "n_steps": len(steps), **(card_values or {})},
    ).scalar_one()
    rows = [
        {
            "merchant_id": held.merchant_id,
            "id": new_id(now),
            "card_id": held.id,
            "seq": last - len(steps) + place,
            "kind": step.kind,
            "stamps": step.stamps,
            "balance": step.balance,
            "how": how,
            "version": version,
            "shop_id": shop_id,
            "staff_id": staff_id,
            "undoes": (step.undoes or undoes) if step.kind == "undo" else None,
            "cause": cause,
            "amount": amount if step.kind == "stamp" else None,
            "remainder": step.remainder,
            "reason": reason,
            "at": now,
        }
        for place, step in enumerate(steps, start=1)
    ]
    tx.execute(_INSERT, rows)
    return [EntryId(str(row["id"])) for row in rows]


def list_entries(
    tx: Tx,
    merchant_id: MerchantId,
    card_id: CardId,
    *,
    before: EntryId | None,
    limit: int,
) -> list[Entry]:
    """A card's entries, newest first, those older than `before`."""
    mine = (ledger_entry.c.merchant_id == merchant_id) & (
        ledger_entry.c.card_id == card_id
    )
    statement = select(ledger_entry).where(mine)
    if before is not None:
        seq = select(ledger_entry.c.seq).where(mine, ledger_entry.c.id == before)
        statement = statement.where(ledger_entry.c.seq < seq.scalar_subquery())
    rows = tx.execute(statement.order_by(ledger_entry.c.seq.desc()).limit(limit))
    return [_entry(row) for row in rows]


def load_entry(tx: Tx, merchant_id: MerchantId, entry_id: EntryId) -> Entry | None:
    """One entry, or None."""
    row = tx.execute(
        select(ledger_entry).where(
            ledger_entry.c.merchant_id == merchant_id, ledger_entry.c.id == entry_id
        )
    ).first()
    return None if row is None else _entry(row)


def grants_since(tx: Tx, held: Card, since: datetime) -> list[tuple[datetime, int]]:
    """When this card got stamps since then, and how many, oldest first.

    Also those of the cards that led to it, by rank-up or by linking. Grants that were
    undone do not count, nor do those for a stamp that had been missing.
    """
    mine = {"of_merchant": held.merchant_id, "of_card": held.id}
    rows = tx.execute(_GRANTS, {**mine, "since": since})
    return [(row.at, int(row.stamps)) for row in rows]


def entries_caused_by(tx: Tx, merchant_id: MerchantId, cause: EntryId) -> list[Entry]:
    """The parts of a grant that went to other cards, or to another round."""
    rows = tx.execute(
        select(ledger_entry)
        .where(
            ledger_entry.c.merchant_id == merchant_id,
            ledger_entry.c.cause == cause,
            ledger_entry.c.kind.in_(("stamp", "merge")),
        )
        .order_by(ledger_entry.c.card_id, ledger_entry.c.seq)
    )
    return [_entry(row) for row in rows]


def all_entries(tx: Tx, held: Card) -> list[Entry]:
    """Every entry of a card, oldest first."""
    rows = tx.execute(
        select(ledger_entry)
        .where(
            ledger_entry.c.merchant_id == held.merchant_id,
            ledger_entry.c.card_id == held.id,
        )
        .order_by(ledger_entry.c.seq)
    )
    return [_entry(row) for row in rows]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=EntryId(row.id),
        card_id=CardId(row.card_id),
        kind=row.kind,
        stamps=row.stamps,
        balance=row.balance,
        how=row.how,
        at=row.at,
        version=row.version,
        shop_id=row.shop_id,
        staff_id=row.staff_id,
        undoes=row.undoes,
        reason=row.reason,
        cause=row.cause,
        amount=row.amount,
        remainder=row.remainder,
    )
