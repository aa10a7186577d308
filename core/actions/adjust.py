"""Correct a card's stamps by hand, with a reason."""

from __future__ import annotations

from datetime import datetime

from core.actions.giving import current_card, give_stamps
from core.actions.history import actor_of, check_reason, load_history, take_off
from core.actions.once import once
from core.actions.till import MAX_STAMPS
from core.actions.vouchers import void_vouchers
from core.database import Tx
from core.errors import Invalid
from core.rules.asking import Adjusted, Refused
from core.rules.types import (
    Card,
    CardId,
    MerchantId,
    Staff,
    Why,
)
from core.rules.undoing import OffPlan, decide_taking_off
from core.store.cards import lock_card
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.merchants import load_merchant
from core.store.passes import announce_passes


def adjust_card(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    card_id: CardId,
    stamps: int,
    reason: str,
    by: Staff | None,
    key: str,
    now: datetime,
) -> Adjusted | Refused:
    """Add (or with a negative number, take off) stamps, or say why not.

    Stamps added are as good as granted ones, without the limits; stamps taken off take
    the unused rewards with them that they had reached. For managers and owners; `by`
    None is a machine or the operator. Raises `Invalid` for "reason" and "stamps", and
    for a "key" that asked for something else before.
    """
    if stamps == 0 or abs(stamps) > MAX_STAMPS:
        raise Invalid({"stamps": ("invalid.stamps", {"max": MAX_STAMPS})})
    reason = check_reason(reason, needed=True)

    def do() -> Adjusted | Refused:
        if by is not None and by.role not in {"owner", "manager"}:
            return Refused(why=Why.not_allowed, card_id=card_id)
        card = lock_card(tx, merchant_id, card_id)
        if card is None:
            return Refused(why=Why.no_such_card)
        if stamps < 0:
            current = current_card(tx, card)
            return _take_off(tx, current, -stamps, reason, by, now)
        return _add(tx, card, stamps, reason, by, now)

    return once(tx, merchant_id, key, ["adjust", card_id, stamps], Adjusted, do, now)


def _add(
    tx: Tx, card: Card, stamps: int, reason: str, by: Staff | None, now: datetime
) -> Adjusted | Refused:
    gave = give_stamps(
        tx,
        load_merchant(tx, card.merchant_id),
        card,
        stamps,
        kind="adjust",
        how="till" if by else "api",
        now=now,
        staff_id=by.id if by else None,
        reason=reason,
    )
    if isinstance(gave, Refused):
        return gave
    return Adjusted(
        card_id=gave.card_id,
        entry_id=gave.entry_id,
        stamps=stamps,
        completed=gave.completed,
        vouchers=gave.vouchers,
    )


def _take_off(
    tx: Tx, card: Card, stamps: int, reason: str, by: Staff | None, now: datetime
) -> Adjusted | Refused:
    plan = decide_taking_off(load_history(tx, card), stamps, now)
    if isinstance(plan, Refused):
        return plan
    return _write_taken_off(tx, card, -stamps, plan, reason, by, now)


def _write_taken_off(
    tx: Tx,
    card: Card,
    stamps: int,
    plan: OffPlan,
    reason: str,
    by: Staff | None,
    now: datetime,
) -> Adjusted:
    staff_id = by.id if by else None
    [entry_id] = append_entries(
        tx,
        card,
        plan.steps,
        how="till" if by else "api",
        version=card.version,
        now=now,
        staff_id=staff_id,
        reason=reason,
    )
    take_off(tx, card, plan)
    void_vouchers(tx, card, plan.void, actor_of(staff_id), now)
    adjusted = Adjusted(
        card_id=card.id, entry_id=entry_id, stamps=stamps, vouchers=plan.void
    )
    _tell(tx, card, adjusted, reason, by, now)
    return adjusted


def _tell(
    tx: Tx,
    card: Card,
    adjusted: Adjusted,
    reason: str,
    by: Staff | None,
    now: datetime,
) -> None:
    announce_passes(tx, card.merchant_id, card.id, now)
    note(
        tx,
        card.merchant_id,
        actor_of(by.id if by else None),
        "card.adjusted",
        card.id,
        now,
        stamps=adjusted.stamps,
        entry=adjusted.entry_id,
        reason=reason,
    )
