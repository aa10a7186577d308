"""Cards: the row that is locked, and that holds the balance for reading.

A card that was linked to another one leads to that one, whatever it is asked by (its
id, its code, the id that a POS gave it); `own` asks for the very card.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Row,
    Select,
    bindparam,
    false,
    func,
    or_,
    select,
    union_all,
)

from core.database import Tx
from core.ids import new_id
from core.rules.types import (
    Card,
    CardId,
    CustomerId,
    MerchantId,
    ProgramId,
)
from core.store.tables import card, customer, merchant
from core.store.upsert import put_if_new
from core.vault import new_letters

# Built once: to build a statement costs more than to run it.
_MINE = (card.c.merchant_id == bindparam("of_merchant")) & (
    card.c.id == bindparam("of_card")
)
_LOAD = select(card).where(_MINE)
_LOCK = _LOAD.with_for_update()
_FIND = select(card).where(
    card.c.merchant_id == bindparam("of_merchant"),
    card.c.program_id == bindparam("of_program"),
    card.c.customer_id == bindparam("of_customer"),
)
_UPDATE = card.update().where(_MINE).values(revision=card.c.revision + 1)


def _group() -> Any:
    asked, other = card.alias("asked"), card.alias("other")
    merchant_id: BindParameter[str] = bindparam("of_merchant")
    stands = (
        select(func.coalesce(asked.c.merged_into, asked.c.id))
        .where(asked.c.merchant_id == merchant_id, asked.c.id == bindparam("of_card"))
        .scalar_subquery()
    )
    return union_all(
        select(stands),
        select(other.c.id).where(
            other.c.merchant_id == merchant_id, other.c.merged_into == stands
        ),
    )


# The ids of the card that stands for `of_card` of `of_merchant`, and of all that lead
# to it, as a subquery.
GROUP = _group()


def load_card(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, *, own: bool = False
) -> Card | None:
    """The card that stands for this one now, or None."""
    found = _one(tx, _LOAD, merchant_id, card_id)
    return found if own else _standing(tx, found)


def lock_card(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, *, own: bool = False
) -> Card | None:
    """The same, locked until the end of the transaction, or None.

    Every check of a limit and every entry happens under this lock.
    """
    found = _one(tx, _LOCK, merchant_id, card_id)
    if own or found is None or found.merged_into is None:
        return found
    # Linked before our lock on it: it stays so as long as we hold that.
    return lock_card(tx, merchant_id, found.merged_into, own=True)


def find_card(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, customer_id: CustomerId
) -> Card | None:
    """This customer's own card of this program, or None."""
    ids = {"of_program": program_id, "of_customer": customer_id}
    row = tx.execute(_FIND, {"of_merchant": merchant_id, **ids}).first()
    return None if row is None else _card(row)


def find_card_by_code(tx: Tx, code: str, *, own: bool = False) -> Card | None:
    """The card whose barcode carries `code`, whoever's it is, or None."""
    found = _first(tx, select(card).where(card.c.code == code))
    return found if own else _standing(tx, found)


def find_card_by_id(tx: Tx, card_id: CardId) -> Card | None:
    """The card with this id, whoever's it is, or None."""
    # The key begins with the merchant: one look into it for each, no scan of cards.
    somebody = card.c.merchant_id.in_(select(merchant.c.id))
    found = _first(tx, select(card).where(somebody, card.c.id == card_id))
    return _standing(tx, found)


def cards_of_customer(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Card]:
    """All cards of one customer, oldest first; the very ones."""
    rows = tx.execute(
        _of(merchant_id)
        .where(card.c.customer_id == customer_id)
        .order_by(card.c.issued_at, card.c.id)
    )
    return [_card(row) for row in rows]


def search_cards(
    tx: Tx, merchant_id: MerchantId, text: str, member_no: str, limit: int
) -> list[Card]:
    """Cards of whose name a word begins with `text`, or whose number with `member_no`.

    An empty one finds nobody. Last used first; the cards that still stand.
    """
    people = []
    if text:
        # People write their names with wide blanks, too.
        name = func.replace(customer.c.name, "\u3000", " ")
        people.append(name.istartswith(text, autoescape=True))
        people.append(name.icontains(f" {text}", autoescape=True))
    if member_no:
        people.append(customer.c.member_no.startswith(member_no, autoescape=True))
    rows = tx.execute(
        _of(merchant_id)
        .join(
            customer,
            (customer.c.merchant_id == card.c.merchant_id)
            & (customer.c.id == card.c.customer_id),
        )
        .where(
            or_(false(), *people),
            customer.c.erased_at.is_(None),
            card.c.merged_into.is_(None),
            card.c.next_card_id.is_(None),
        )
        .order_by(
            func.coalesce(card.c.last_stamp_at, card.c.issued_at).desc(), card.c.id
        )
        .limit(limit)
    )
    return [_card(row) for row in rows]


def cards_with_external_id(
    tx: Tx, merchant_id: MerchantId, external_id: str
) -> list[Card]:
    """The cards of the customer whom a POS knows by its own id."""
    # By the customer, whose column has an index; a linked one's cards are another's.
    known = select(customer.c.id, customer.c.merged_into).where(
        customer.c.merchant_id == merchant_id, customer.c.external_id == external_id
    )
    owners = {each for row in tx.execute(known) for each in row if each is not None}
    rows = tx.execute(
        _of(merchant_id).where(card.c.customer_id.in_(owners)).order_by(card.c.id)
    )
    found = [_standing(tx, _card(row)) for row in rows.all()]
    return list({held.id: held for held in found if held is not None}.values())


def lock_cards_of_versions(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, versions: Collection[int]
) -> list[Card]:
    """The program's very cards that are on these versions, locked, in order of id."""
    rows = tx.execute(
        _of(merchant_id)
        .where(card.c.program_id == program_id, card.c.version.in_(versions))
        .order_by(card.c.id)
        .with_for_update()
    )
    return [_card(row) for row in rows.all()]


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
    mine = {"of_merchant": held.merchant_id, "of_card": held.id}
    tx.execute(_UPDATE, {**mine, **values})
    tx.signal(f"card:{held.id}")
    if held.merged_into is not None:
        tx.signal(f"card:{held.merged_into}")


def _standing(tx: Tx, held: Card | None) -> Card | None:
    """The card that stands for `held`: itself, or the one that it was linked to."""
    if held is None or held.merged_into is None:
        return held
    return _one(tx, _LOAD, held.merchant_id, held.merged_into)


def _of(merchant_id: MerchantId) -> Select[Any]:
    return select(card).where(card.c.merchant_id == merchant_id)


def _one(
    tx: Tx, statement: Select[Any], merchant_id: MerchantId, card_id: CardId
) -> Card | None:
    row = tx.execute(statement, {"of_merchant": merchant_id, "of_card": card_id})
    found = row.first()
    return None if found is None else _card(found)


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
