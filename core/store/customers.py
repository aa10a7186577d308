"""Customers: one person as one merchant knows them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, select

from core.database import Tx
from core.ids import new_id
from core.rules.types import (
    Customer,
    CustomerId,
    Language,
    MerchantId,
)
from core.store.tables import customer, refusal
from core.store.upsert import put_if_new
from core.vault import new_digits

# Built once: to build a statement costs more than to run it.
_REFUSALS = (
    select(refusal.c.at)
    .where(
        refusal.c.merchant_id == bindparam("of_merchant"),
        refusal.c.why == bindparam("why"),
        refusal.c.at > bindparam("since", type_=refusal.c.at.type),
    )
    .order_by(refusal.c.at)
)
_REFUSALS_OF = _REFUSALS.where(refusal.c.customer_id == bindparam("of_customer"))


def find_customer(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    lock: bool = False,
    own: bool = False,
    **where: str,
) -> Customer | None:
    """The customer with e.g. `line_user_id=…` or `member_no=…`, or None.

    Who was linked to another customer is that one; `own` asks for the very row.
    """
    statement = _find_by(tuple(where), lock=lock)
    row = tx.execute(statement, {"of_merchant": merchant_id, **where}).first()
    if row is None:
        return None
    if row.merged_into is None or own:
        return _customer(row)
    return find_customer(tx, merchant_id, lock=lock, own=True, id=row.merged_into)


def linked_customers(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Customer]:
    """The very customers that were linked to this one, oldest first."""
    rows = tx.execute(
        select(customer)
        .where(
            customer.c.merchant_id == merchant_id,
            customer.c.merged_into == customer_id,
        )
        .order_by(customer.c.id)
    )
    return [_customer(row) for row in rows]


def add_customer(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    language: Language,
    now: datetime,
    name: str = "",
    line_user_id: str | None = None,
    external_id: str | None = None,
) -> Customer:
    """A new customer with a member number of their own.

    Two tills at once may meet the same LINE user: the second gets the first's row.
    """
    while True:
        row = {
            "merchant_id": merchant_id,
            "id": new_id(now),
            "member_no": f"{new_digits(4)}-{new_digits(4)}",
            "line_user_id": line_user_id,
            "name": name,
            "language": language,
            "external_id": external_id,
            "created_at": now,
        }
        if put_if_new(tx, customer, row):
            return _customer_of(row)
        if line_user_id is not None:
            known = find_customer(tx, merchant_id, line_user_id=line_user_id)
            if known is not None:
                return known


def update_customer(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, **values: Any
) -> None:
    """Change columns of one customer."""
    mine = (customer.c.merchant_id == merchant_id) & (customer.c.id == customer_id)
    tx.execute(customer.update().where(mine).values(values))


def append_refusal(
    tx: Tx,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    why: str,
    code: str,
    now: datetime,
) -> None:
    """Remember that this customer's code was refused."""
    tx.execute(
        refusal.insert().values(
            merchant_id=merchant_id,
            id=new_id(now),
            customer_id=customer_id,
            why=why,
            code=code,
            at=now,
        )
    )


def refusals_since(
    tx: Tx,
    merchant_id: MerchantId,
    why: str,
    since: datetime,
    customer_id: CustomerId | None = None,
) -> list[datetime]:
    """When codes were refused for `why` since then, oldest first.

    This customer's, or with None all of the merchant's.
    """
    asked = {"of_merchant": merchant_id, "why": why, "since": since}
    if customer_id is None:
        rows = tx.execute(_REFUSALS, asked)
    else:
        rows = tx.execute(_REFUSALS_OF, {**asked, "of_customer": customer_id})
    return [row.at for row in rows]


@cache
def _find_by(columns: tuple[str, ...], *, lock: bool) -> Select[Any]:
    statement = select(customer).where(
        customer.c.merchant_id == bindparam("of_merchant"),
        *(customer.c[column] == bindparam(column) for column in columns),
    )
    statement = statement.order_by(customer.c.id)
    return statement.with_for_update() if lock else statement


def _customer(row: Row[Any]) -> Customer:
    return _customer_of(row._asdict())


def _customer_of(row: dict[str, Any]) -> Customer:
    return Customer(
        id=CustomerId(row["id"]),
        merchant_id=MerchantId(row["merchant_id"]),
        member_no=row["member_no"],
        line_user_id=row["line_user_id"],
        name=row["name"],
        language=row["language"],
        external_id=row["external_id"],
        birthday=row.get("birthday"),
        birthday_told_at=row.get("birthday_told_at"),
        referral_code=row.get("referral_code"),
        referred_by=row.get("referred_by"),
        referral_paid_at=row.get("referral_paid_at"),
        paper_at=row.get("paper_at"),
        muted=tuple(row.get("muted") or ()),
        merged_into=row.get("merged_into"),
        erased_at=row.get("erased_at"),
    )
