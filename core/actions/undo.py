"""Take a grant back: always by a counter-entry, never by deleting."""

from __future__ import annotations

from datetime import datetime

from core.actions.history import actor_of, check_reason, load_history, take_off
from core.actions.once import once
from core.actions.vouchers import void_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused, Undone
from core.rules.types import (
    Card,
    Entry,
    EntryId,
    MerchantId,
    Staff,
    Why,
)
from core.rules.undoing import OffPlan, decide_undo, is_fresh_own, may_undo
from core.store.cards import lock_card
from core.store.journal import note
from core.store.ledger import append_entries, load_entry
from core.store.passes import announce_passes


def undo_grant(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    entry_id: EntryId,
    by: Staff | None,
    reason: str,
    key: str,
    now: datetime,
) -> Undone | Refused:
    """Take the grant of `entry_id` back, or say why not; see `core.rules.undoing`.

    Clerks take back what they gave in the last ten minutes; a manager anything, with a
    reason. `by` None is a machine with an API key: a manager whose till asked already.
    Raises `NotFound("entry")` also for an entry that is no grant, `Invalid` for a
    missing "reason" and for a "key" that asked for something else before.
    """

    def do() -> Undone | Refused:
        entry = load_entry(tx, merchant_id, entry_id)
        if entry is None or entry.kind != "stamp":
            raise NotFound("entry")
        return _undo(tx, merchant_id, entry, by, reason, now)

    return once(tx, merchant_id, key, ["undo", entry_id], Undone, do, now)


def _undo(
    tx: Tx,
    merchant_id: MerchantId,
    entry: Entry,
    by: Staff | None,
    reason: str,
    now: datetime,
) -> Undone | Refused:
    if not may_undo(entry, by, now):
        return Refused(why=Why.not_allowed, card_id=entry.card_id)
    needed = by is not None and not is_fresh_own(entry, by, now)
    reason = check_reason(reason, needed=needed)
    card = lock_card(tx, merchant_id, entry.card_id)
    assert card is not None
    plan = decide_undo(load_history(tx, card), entry)
    if isinstance(plan, Refused):
        return plan
    return _write(tx, card, entry, plan, by, reason, now)


def _write(
    tx: Tx,
    card: Card,
    entry: Entry,
    plan: OffPlan,
    by: Staff | None,
    reason: str,
    now: datetime,
) -> Undone:
    staff_id = by.id if by else None
    counter = append_entries(
        tx,
        card,
        plan.steps,
        how="till" if by else "api",
        version=card.version,
        now=now,
        shop_id=entry.shop_id,
        staff_id=staff_id,
        reason=reason,
        undoes=entry.id,
    )[-1]
    take_off(tx, card, plan)
    actor = actor_of(staff_id)
    void_vouchers(tx, card, plan.void, actor, now)
    announce_passes(tx, card.merchant_id, card.id, now)
    note(
        tx,
        card.merchant_id,
        actor,
        "stamp.undone",
        card.id,
        now,
        stamps=entry.stamps,
        entry=counter,
        undoes=entry.id,
        reason=reason,
    )
    return Undone(
        card_id=card.id,
        entry_id=counter,
        undoes=entry.id,
        stamps=entry.stamps,
        vouchers=plan.void,
    )
