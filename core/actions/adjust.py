"""Correct a card's stamps by hand, with a reason."""

from __future__ import annotations

from datetime import datetime

from core.actions.history import actor_of, check_reason, load_history, take_off
from core.actions.once import once
from core.actions.till import MAX_STAMPS
from core.actions.vouchers import issue_vouchers, void_vouchers
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Adjusted, Refused
from core.rules.granting import GrantFacts, GrantPlan, plan_stamps
from core.rules.types import (
    Card,
    CardId,
    MerchantId,
    Staff,
    Why,
)
from core.rules.undoing import OffPlan, decide_taking_off
from core.store.cards import lock_card, update_card
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.programs import load_program


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
            return _take_off(tx, card, -stamps, reason, by, now)
        return _add(tx, card, stamps, reason, by, now)

    return once(tx, merchant_id, key, ["adjust", card_id, stamps], Adjusted, do, now)


def _add(
    tx: Tx, card: Card, stamps: int, reason: str, by: Staff | None, now: datetime
) -> Adjusted | Refused:
    history = load_history(tx, card)
    program = load_program(tx, card.merchant_id, card.program_id)
    if program is None:
        raise NotFound("program")
    if card.state == "stopped" or program.state == "archived":
        return Refused(why=Why.card_stopped, card_id=card.id)
    plan = plan_stamps(
        GrantFacts(
            card=card,
            design=history.designs[card.version],
            program=program.state,
            stamps=stamps,
            recent=(),
            zone=history.zone,
            day_starts_at=history.day_starts_at,
            now=now,
        ),
        "adjust",
    )
    if isinstance(plan, Refused):
        return plan
    return _write_added(tx, card, stamps, plan, reason, by, now)


def _write_added(
    tx: Tx,
    card: Card,
    stamps: int,
    plan: GrantPlan,
    reason: str,
    by: Staff | None,
    now: datetime,
) -> Adjusted:
    entries = append_entries(
        tx,
        card,
        plan.steps,
        how="till" if by else "api",
        version=card.version,
        now=now,
        staff_id=by.id if by else None,
        reason=reason,
    )
    kinds = [step.kind for step in plan.steps]
    adjusted = Adjusted(
        card_id=card.id,
        entry_id=entries[kinds.index("adjust")],
        stamps=stamps,
        completed=plan.advance.completions > 0,
        vouchers=issue_vouchers(
            tx,
            load_merchant(tx, card.merchant_id),
            card,
            plan.advance.earned,
            entries[kinds.index("adjust")],
            now,
        ),
    )
    update_card(
        tx,
        card,
        balance=plan.advance.balance,
        cycle=card.cycle + plan.advance.completions,
        total=card.total + stamps,
        first_stamp_at=plan.first_stamp_at,
        last_stamp_at=now,
        expires_at=plan.expires_at,
    )
    _tell(tx, card, adjusted, reason, by, now)
    return adjusted


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
