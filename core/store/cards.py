"""Cards: the row that is locked, and that holds the balance for reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from core.database import Tx
from core.ids import new_id
from core.rules.types import (
    Card,
    CardId,
    CustomerId,
    MerchantId,
    ProgramId,
)
from core.store.tables import card, merchant
from core.store.upsert import put_if_new
from core.vault import new_letters


def load_card(tx: Tx, merchant_id: MerchantId, card_id: CardId) -> Card | None:
    """One card, or None."""
    return _first(tx, _of(merchant_id).where(card.c.id == card_id))


def lock_card(tx: Tx, merchant_id: MerchantId, card_id: CardId) -> Card | None:
    """One card, locked until the end of the transaction, or None.

    Every check of a limit and every entry happens under this lock.
    """
    return _first(tx, _of(merchant_id).where(card.c.id == card_id).with_for_update())


def find_card(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, customer_id: CustomerId
) -> Card | None:
    """This customer's card of this program, or None."""
    mine = (card.c.program_id == program_id) & (card.c.customer_id == customer_id)
    return _first(tx, _of(merchant_id).where(mine))


def find_card_by_code(tx: Tx, code: str) -> Card | None:
    """The card whose barcode carries `code`, whoever's it is, or None."""
    return _first(tx, select(card).where(card.c.code == code))


def find_card_by_id(tx: Tx, card_id: CardId) -> Card | None:
    """The card with this id, whoever's it is, or None."""
    # The key begins with the merchant: one look into it for each, no scan of cards.
    somebody = card.c.merchant_id.in_(select(merchant.c.id))
    return _first(tx, select(card).where(somebody, card.c.id == card_id))


def cards_of_customer(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Card]:
    """All cards of one customer, oldest first."""
    rows = tx.execute(
        _of(merchant_id)
        .where(card.c.customer_id == customer_id)
        .order_by(card.c.issued_at, card.c.id)
    )
    return [_card(row) for row in rows]


def cards_with_external_id(
    tx: Tx, merchant_id: MerchantId, external_id: str
) -> list[Card]:
    """Cards that a POS made under its own id."""
    rows = tx.execute(
        _of(merchant_id).where(card.c.external_id == external_id).order_by(card.c.id)
    )
    return [_card(row) for row in rows]


def cards_of_program(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    *,
    least: int = 0,
    lock: bool = False,
) -> list[Card]:
    """The program's cards that show at least `least` stamps."""
    statement = (
        _of(merchant_id)
        .where(card.c.program_id == program_id, card.c.balance >= least)
        .order_by(card.c.id)
    )
    rows = tx.execute(statement.with_for_update() if lock else statement)
    return [_card(row) for row in rows]


def count_balances(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> dict[int, int]:
    """How many of the program's cards show how many stamps."""
    rows = tx.execute(
        select(card.c.balance, func.count().label("n_cards"))
        .where(card.c.merchant_id == merchant_id, card.c.program_id == program_id)
        .group_by(card.c.balance)
    )
    return {row.balance: row.n_cards for row in rows}


def add_card(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    customer_id: CustomerId,
    version: int,
    now: datetime,
    external_id: str | None = None,
) -> CardId | None:
    """A new empty card; None when this customer has one of this program already."""
    row = {
        "merchant_id": merchant_id,
        "id": new_id(now),
        "program_id": program_id,
        "customer_id": customer_id,
        "version": version,
        "promise_from": version,
        "state": "active",
        "balance": 0,
        "cycle": 0,
        "total": 0,
        "revision": 1,
        "n_entries": 0,
        "code": new_letters(13),
        "external_id": external_id,
        "issued_at": now,
    }
    keys = ("merchant_id", "program_id", "customer_id")
    return CardId(str(row["id"])) if put_if_new(tx, card, row, *keys) else None


def update_card(tx: Tx, held: Card, **values: Any) -> None:
    """Change columns of one (locked) card and count its revision up."""
    mine = (card.c.merchant_id == held.merchant_id) & (card.c.id == held.id)
    values["revision"] = card.c.revision + 1
    tx.execute(card.update().where(mine).values(values))
    tx.signal(f"card:{held.id}")


def move_cards(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, version: int
) -> int:
    """Put every card of a program on `version`; how many there are."""
    mine = (card.c.merchant_id == merchant_id) & (card.c.program_id == program_id)
    values = {"version": version, "revision": card.c.revision + 1}
    return tx.execute(card.update().where(mine).values(values)).rowcount


def _of(merchant_id: MerchantId) -> Select[Any]:
    return select(card).where(card.c.merchant_id == merchant_id)


def _first(tx: Tx, statement: Select[Any]) -> Card | None:
    row = tx.execute(statement).first()
    return None if row is None else _card(row)


def _card(row: Row[Any]) -> Card:
    return Card(
        id=CardId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        program_id=ProgramId(row.program_id),
        customer_id=CustomerId(row.customer_id),
        version=row.version,
        state=row.state,
        balance=row.balance,
        cycle=row.cycle,
        total=row.total,
        revision=row.revision,
        code=row.code,
        issued_at=_known(row.issued_at),
        first_stamp_at=row.first_stamp_at,
        last_stamp_at=row.last_stamp_at,
        expires_at=row.expires_at,
        external_id=row.external_id,
        remainder=row.remainder,
        promise_from=row.promise_from,
        extended_to=row.extended_to,
        next_card_id=_card_id(row.next_card_id),
        merged_into=_card_id(row.merged_into),
        stop_reason=row.stop_reason,
    )


def _card_id(value: str | None) -> CardId | None:
    return None if value is None else CardId(value)


def _known(at: datetime | None) -> datetime:
    assert at is not None
    return at
