"""Leaving (退会): a person's data are erased, or shown to them.

Their cards are stopped and their passes void. Who comes back is somebody new.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.actions.history import actor_of
from core.actions.vouchers import void_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.types import CardId, Customer, CustomerId, MerchantId, Staff, Why
from core.store.cards import lock_card, update_card
from core.store.customers import find_customer, linked_customers
from core.store.erasing import (
    Person,
    erase_name,
    erase_words,
    everything_about,
    open_vouchers,
    person_of,
)
from core.store.journal import note
from core.store.passes import announce_passes
from core.vault import new_letters
from core.wording import say

# Why they are no customers any more: their own wish, or the shop's doing.
ErasedFor = Literal["left", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Done: `customers` are the rows of the one person, linked ones included."""

    customer_id: CustomerId
    customers: tuple[CustomerId, ...]
    cards: tuple[CardId, ...]


def erase_customer(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    by: Staff | None,
    reason_code: ErasedFor,
    now: datetime,
) -> Erased | Refused:
    """Erase a person: what names them, what they wrote, and what they could still do.

    With them goes who was linked to them, or whom they were linked to. Of staff, owners
    and managers may; `by` None is the person themself. Doing it again changes nothing.
    Raises `NotFound("customer")`.
    """
    if by is not None and by.role not in {"owner", "manager"}:
        return Refused(why=Why.not_allowed)
    customers = _lock(tx, merchant_id, customer_id)
    person = person_of(tx, merchant_id, customers)
    root = customers[-1]
    erased = Erased(customer_id=root.id, customers=person.customers, cards=person.cards)
    if all(customer.erased_at is not None for customer in customers):
        return erased
    actor = actor_of(by.id) if by else f"customer:{root.id}"
    reason = say(f"erased.{reason_code}", root.language)
    _stop_cards(tx, person, reason, actor, now)
    erase_words(tx, person, now)
    for customer in customers:
        erase_name(tx, merchant_id, customer.id, now)
    tx.signal(f"tills:{merchant_id}")
    detail = {"reason": reason_code, "cards": list(person.cards)}
    note(tx, merchant_id, actor, "customer.erased", root.id, now, **detail)
    return erased


def what_we_know(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> dict[str, list[dict[str, Any]]]:
    """All rows about a person by their kind, as JSON has them; linked ones included.

    Raises `NotFound("customer")`.
    """
    root = _root(tx, merchant_id, customer_id)
    customers = [*linked_customers(tx, merchant_id, root.id), root]
    return everything_about(tx, person_of(tx, merchant_id, customers))


def _lock(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> list[Customer]:
    """All rows of the person, locked, the one that stands for them last."""
    root = _root(tx, merchant_id, customer_id)
    joined = linked_customers(tx, merchant_id, root.id)
    # Who joined is locked before whom they joined, as when linking.
    for customer in [*joined, root]:
        find_customer(tx, merchant_id, lock=True, own=True, id=customer.id)
    if _root(tx, merchant_id, customer_id).id != root.id:
        # Linked on, or taken apart, while we waited.
        return _lock(tx, merchant_id, customer_id)
    return [*linked_customers(tx, merchant_id, root.id), root]


def _root(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> Customer:
    found = find_customer(tx, merchant_id, id=customer_id)
    if found is None:
        raise NotFound("customer")
    return found


def _stop_cards(tx: Tx, person: Person, reason: str, actor: str, now: datetime) -> None:
    for card_id in person.cards:
        card = lock_card(tx, person.merchant_id, card_id, own=True)
        assert card is not None
        void_vouchers(tx, card, open_vouchers(tx, card), actor, now)
        update_card(
            tx,
            card,
            state="stopped",
            stop_reason=reason,
            # The old barcode names nobody any more.
            code=new_letters(13),
            external_id=None,
        )
        announce_passes(tx, person.merchant_id, card_id, now)
