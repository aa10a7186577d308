"""All that is held about one person: to show it to them, and to erase it.

The ledger stays: it is of cards, whose holder nobody can tell any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select, tuple_

from core.database import Tx
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    MerchantId,
    VoucherId,
)
from core.store.customers import update_customer
from core.store.tables import (
    card,
    claim,
    code_use,
    customer,
    held_pass,
    hook_delivery,
    inbox,
    journal,
    ledger_entry,
    link,
    link_code,
    notice,
    old_code,
    pass_device,
    redemption,
    refusal,
    till_code,
    used_barcode,
    voucher,
)
from core.vault import new_letters

# Whose row it is goes without saying; with the token, others could wake the phone;
# which browser scanned a code is the staff's.
_LEFT_OUT = {"merchant_id", "push_token", "used_by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person: the customer they are, and all who were linked to it."""

    merchant_id: MerchantId
    customers: tuple[CustomerId, ...]
    cards: tuple[CardId, ...]
    line_users: tuple[str, ...]


def person_of(tx: Tx, merchant_id: MerchantId, customers: list[Customer]) -> Person:
    """The person that these customers are."""
    ids = tuple(each.id for each in customers)
    rows = tx.execute(
        select(card.c.id)
        .where(card.c.merchant_id == merchant_id, card.c.customer_id.in_(ids))
        .order_by(card.c.id)
    )
    return Person(
        merchant_id=merchant_id,
        customers=ids,
        cards=tuple(CardId(row.id) for row in rows),
        line_users=tuple(c.line_user_id for c in customers if c.line_user_id),
    )


def everything_about(tx: Tx, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row about a person by its table, as JSON has it, oldest first."""
    return {
        table.name: [
            _plain(row._asdict())
            for row in tx.execute(
                select(table)
                .where(table.c.merchant_id == person.merchant_id, about)
                .order_by(*table.primary_key.columns)
            )
        ]
        for table, about in _places(person)
    }


def erase_name(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> None:
    """Empty a customer's row of all that could tell who they are."""
    update_customer(
        tx,
        merchant_id,
        customer_id,
        # No number that anybody could have written down, nor one that is typed.
        member_no=new_letters(12),
        name="",
        line_user_id=None,
        external_id=None,
        birthday=None,
        birthday_told_at=None,
        referral_code=None,
        referred_by=None,
        muted=None,
        followed_at=None,
        unfollowed_at=None,
        erased_at=now,
    )


def erase_words(tx: Tx, person: Person, now: datetime) -> None:
    """Drop what a person wrote, tried and was told; end what waits for them."""
    of_it = dict(_places(person))

    def mine(table: Table) -> ColumnElement[bool]:
        return (table.c.merchant_id == person.merchant_id) & of_it[table]

    for table in (refusal, link_code, used_barcode):
        tx.execute(table.delete().where(mine(table)))
    _end(tx, claim, mine(claim), "open", "rejected", now)
    words = {"text": "", "refusals": [], "answer": ""}
    tx.execute(claim.update().where(mine(claim)).values(words))
    _end(tx, redemption, mine(redemption), "waiting", "cancelled", now)
    untold = mine(notice) & (notice.c.state != "told")
    tx.execute(notice.update().where(untold).values(state="dropped"))
    tx.execute(notice.update().where(mine(notice)).values(detail={}, error=""))
    # One that was sent is not sent again; one that waits is made from what is left.
    tx.execute(hook_delivery.update().where(mine(hook_delivery)).values(body=""))
    done = {"state": "done", "finished_at": now}
    waiting = mine(inbox) & (inbox.c.state == "waiting")
    tx.execute(inbox.update().where(waiting).values(done))
    gone = {"person": "", "body": "", "note": ""}
    tx.execute(inbox.update().where(mine(inbox)).values(gone))


def forget_devices(tx: Tx, before: datetime, limit: int) -> int:
    """Drop up to `limit` phones of people who were erased before then; how many.

    Until then they are told that the pass is void.
    """
    key = (pass_device.c.merchant_id, pass_device.c.pass_id, pass_device.c.device_id)
    gone = (
        select(*key)
        .join(
            held_pass,
            (held_pass.c.merchant_id == pass_device.c.merchant_id)
            & (held_pass.c.id == pass_device.c.pass_id),
        )
        .join(
            card,
            (card.c.merchant_id == held_pass.c.merchant_id)
            & (card.c.id == held_pass.c.card_id),
        )
        .join(
            customer,
            (customer.c.merchant_id == card.c.merchant_id)
            & (customer.c.id == card.c.customer_id),
        )
        .where(customer.c.erased_at < before)
        .limit(limit)
    )
    return tx.execute(pass_device.delete().where(tuple_(*key).in_(gone))).rowcount


def open_vouchers(tx: Tx, held: Card) -> list[VoucherId]:
    """A card's own vouchers that were neither used nor made void, nor expired."""
    rows = tx.execute(
        select(voucher.c.id)
        .where(
            voucher.c.merchant_id == held.merchant_id,
            voucher.c.card_id == held.id,
            voucher.c.state == "issued",
        )
        .order_by(voucher.c.id)
    )
    return [VoucherId(row.id) for row in rows]


def _places(person: Person) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    ids, cards = person.customers, person.cards
    passes = select(held_pass.c.id).where(
        held_pass.c.merchant_id == person.merchant_id, held_pass.c.card_id.in_(cards)
    )
    yield customer, customer.c.id.in_(ids)
    yield card, card.c.id.in_(cards)
    for table in (ledger_entry, voucher, held_pass, redemption, old_code):
        yield table, table.c.card_id.in_(cards)
    for table in (pass_device, used_barcode):
        yield table, table.c.pass_id.in_(passes)
    for table in (refusal, claim, link_code, code_use, notice):
        yield table, table.c.customer_id.in_(ids)
    yield link, or_(link.c.from_customer_id.in_(ids), link.c.to_customer_id.in_(ids))
    yield till_code, till_code.c.claimed_by.in_(cards)
    yield inbox, inbox.c.person.in_(person.line_users)
    yield hook_delivery, hook_delivery.c.data["card"].as_string().in_(cards)
    actors = [f"customer:{each}" for each in ids]
    yield (
        journal,
        or_(journal.c.subject.in_([*ids, *cards]), journal.c.actor.in_(actors)),
    )


def _end(
    tx: Tx,
    table: Table,
    mine: ColumnElement[bool],
    state: str,
    after: str,
    now: datetime,
) -> None:
    waiting = mine & (table.c.state == state)
    values = {"state": after, "decided_at": now}
    tx.execute(table.update().where(waiting).values(values))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in _LEFT_OUT
    }
