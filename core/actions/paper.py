"""Bring the stamps of a paper card over: once per customer."""

from __future__ import annotations

from datetime import datetime

from core.actions.giving import Gave, give_stamps
from core.actions.history import check_reason
from core.actions.once import once
from core.actions.till import MAX_STAMPS
from core.database import Tx
from core.errors import Invalid
from core.rules.asking import Refused
from core.rules.types import (
    CardId,
    CustomerId,
    MerchantId,
    Staff,
    Why,
)
from core.store.cards import load_card, lock_card
from core.store.customers import update_customer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.people import brought_paper, standing_customer


def migrate_paper(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    card_id: CardId,
    stamps: int,
    by: Staff,
    key: str,
    now: datetime,
    reason: str = "",
) -> Gave | Refused:
    """Add the 1 to 50 stamps of a customer's paper card to their card here.

    It may fill the card, and is once for a customer whatever their cards; for all staff
    who may give stamps. Raises `Invalid` for "stamps" and "reason", and for a "key"
    that asked for something else before.
    """
    if not 1 <= stamps <= MAX_STAMPS:
        raise Invalid({"stamps": ("invalid.stamps", {"max": MAX_STAMPS})})
    reason = check_reason(reason, needed=False)

    def do() -> Gave | Refused:
        if by.role == "viewer":
            return Refused(why=Why.not_allowed, card_id=card_id)
        return _migrate(tx, merchant_id, card_id, stamps, by, reason, now)

    asked: list[str | int] = ["paper", card_id, stamps]
    return once(tx, merchant_id, key, asked, Gave, do, now)


def may_bring_paper(tx: Tx, merchant_id: MerchantId, customer_id: CustomerId) -> bool:
    """Has nobody moved a paper card of this person, or of one linked to them, yet?"""
    return not brought_paper(tx, merchant_id, customer_id)


def _migrate(
    tx: Tx,
    merchant_id: MerchantId,
    card_id: CardId,
    stamps: int,
    by: Staff,
    reason: str,
    now: datetime,
) -> Gave | Refused:
    found = load_card(tx, merchant_id, card_id)
    # The customer before the card: two tills with two of their cards wait here.
    customer = (
        standing_customer(tx, merchant_id, found.customer_id, lock=True)
        if found is not None
        else None
    )
    card = lock_card(tx, merchant_id, card_id)
    if card is None or customer is None:
        return Refused(why=Why.no_such_card)
    if brought_paper(tx, merchant_id, customer.id):
        return Refused(why=Why.already_migrated, card_id=card_id)
    gave = give_stamps(
        tx,
        load_merchant(tx, merchant_id),
        card,
        stamps,
        kind="adjust",
        how="paper",
        now=now,
        staff_id=by.id,
        reason=reason,
    )
    if isinstance(gave, Gave):
        update_customer(tx, merchant_id, customer.id, paper_at=now)
        actor = f"staff:{by.id}"
        note(tx, merchant_id, actor, "paper.migrated", gave.card_id, now, stamps=stamps)
    return gave
