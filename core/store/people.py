"""Customers as people: who stands for whom, who brought whom, whose birthday it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal, select

from core.database import Tx
from core.rules.types import (
    Customer,
    CustomerId,
    MerchantId,
)
from core.store.customers import find_customer, update_customer
from core.store.tables import answered, card, customer, ledger_entry
from core.vault import new_code


def standing_customer(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, *, lock: bool = False
) -> Customer | None:
    """The customer that this one was linked to, else themselves; None once erased."""
    found = find_customer(tx, merchant_id, lock=lock, id=customer_id)
    return found if found is not None and found.erased_at is None else None


def lock_customers(
    tx: Tx, merchant_id: MerchantId, customer_ids: Sequence[CustomerId]
) -> None:
    """Lock these customers until the end of the transaction, always in one order."""
    tx.execute(
        select(customer.c.id)
        .where(customer.c.merchant_id == merchant_id, customer.c.id.in_(customer_ids))
        .order_by(customer.c.id)
        .with_for_update()
    ).all()


def give_referral_code(tx: Tx, held: Customer) -> str:
    """A referral code of their own for a (locked) customer who has none."""
    while True:
        code = new_code(8)
        if find_customer(tx, held.merchant_id, referral_code=code) is None:
            update_customer(tx, held.merchant_id, held.id, referral_code=code)
            return code


def count_grants(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> int:
    """How often this person (also as one linked to them) was given stamps.

    Also what was undone since; a bonus is no such thing, nor is what was paid towards
    a first stamp.
    """
    people = select(customer.c.id).where(_person(merchant_id, customer_id))
    cards = select(card.c.id).where(
        card.c.merchant_id == merchant_id, card.c.customer_id.in_(people)
    )
    statement = select(func.count()).where(
        ledger_entry.c.merchant_id == merchant_id,
        ledger_entry.c.card_id.in_(cards),
        ledger_entry.c.kind.in_(("stamp", "adjust")),
        ledger_entry.c.stamps > 0,
        ledger_entry.c.cause.is_(None),
    )
    return int(tx.execute(statement).scalar_one())


def has_brought(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> bool:
    """Did anybody come by this customer's code?"""
    found = tx.execute(
        select(customer.c.id)
        .where(
            customer.c.merchant_id == merchant_id,
            customer.c.referred_by == customer_id,
        )
        .limit(1)
    )
    return found.first() is not None


def unpaid_friends(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[tuple[CustomerId, CustomerId]]:
    """As whom this person came by a code that was not paid for yet, and by whose.

    Themselves first, then customers who were linked to them.
    """
    rows = tx.execute(
        select(customer.c.id, customer.c.referred_by).where(
            _person(merchant_id, customer_id),
            customer.c.referred_by.is_not(None),
            customer.c.referral_paid_at.is_(None),
        )
    )
    found = [(CustomerId(row.id), CustomerId(row.referred_by)) for row in rows]
    return sorted(found, key=lambda pair: pair[0] != customer_id)


def mark_paid(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> bool:
    """Both get their stamps for this customer; False when they had them already.

    Two tills that stamp at once wait for each other here.
    """
    mine = (customer.c.merchant_id == merchant_id) & (customer.c.id == customer_id)
    done = tx.execute(
        customer.update()
        .where(mine, customer.c.referral_paid_at.is_(None))
        .values(referral_paid_at=now)
    )
    return done.rowcount == 1


def brought_paper(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> bool:
    """Did this person (also as one linked to them) move a paper card already?"""
    found = tx.execute(
        select(customer.c.id)
        .where(_person(merchant_id, customer_id), customer.c.paper_at.is_not(None))
        .limit(1)
    )
    return found.first() is not None


def forget_birthdays(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> None:
    """Nobody's birthday any more, as whoever this person told it."""
    tx.execute(
        customer.update()
        .where(_person(merchant_id, customer_id))
        .values(birthday=None, birthday_told_at=None)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Celebration:
    """Whose birthday to look for: any of `birthdays` ("MM-DD"), told before then, with
    a card that was issued before then, and no answer yet under `key` + their id.
    """

    birthdays: tuple[str, ...]
    told_before: datetime
    issued_before: datetime
    key: str


def born_on(
    tx: Tx,
    merchant_id: MerchantId,
    wanted: Celebration,
    *,
    after: CustomerId | None,
    limit: int,
) -> list[CustomerId]:
    """Customers who fit, by id; those `after` one, at most `limit`.

    A customer who was linked to another stands for them with the birthday they told.
    """
    person = func.coalesce(customer.c.merged_into, customer.c.id)
    has_card = (
        select(card.c.id)
        .where(
            card.c.merchant_id == merchant_id,
            card.c.customer_id == person,
            card.c.state == "active",
            card.c.merged_into.is_(None),
            card.c.next_card_id.is_(None),
            card.c.issued_at < wanted.issued_before,
        )
        .exists()
    )
    was_answered = (
        select(answered.c.key)
        .where(
            answered.c.merchant_id == merchant_id,
            answered.c.key == literal(wanted.key).concat(person),
        )
        .exists()
    )
    statement = select(customer.c.id).where(
        customer.c.merchant_id == merchant_id,
        customer.c.birthday.in_(wanted.birthdays),
        customer.c.birthday_told_at < wanted.told_before,
        customer.c.erased_at.is_(None),
        has_card,
        ~was_answered,
    )
    if after is not None:
        statement = statement.where(customer.c.id > after)
    rows = tx.execute(statement.order_by(customer.c.id).limit(limit))
    return [CustomerId(row.id) for row in rows]


def _person(merchant_id: MerchantId, customer_id: CustomerId) -> ColumnElement[bool]:
    """The customer, and those who were linked to them."""
    is_theirs = (customer.c.id == customer_id) | (customer.c.merged_into == customer_id)
    return (customer.c.merchant_id == merchant_id) & is_theirs
