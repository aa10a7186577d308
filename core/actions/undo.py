"""Take a grant back: always by a counter-entry, never by deleting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from core.actions.history import actor_of, check_reason, load_history, take_off
from core.actions.once import once
from core.actions.vouchers import void_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused, Undone
from core.rules.types import CardId, Entry, EntryId, How, MerchantId, Staff, Why
from core.rules.undoing import (
    CardHistory,
    OffPlan,
    came_since,
    decide_undo,
    is_fresh_own,
    is_last_of_card,
    may_undo,
)
from core.store.cards import lock_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.ledger import (
    append_entries,
    entries_caused_by,
    load_entry,
)
from core.store.merchants import load_merchant
from core.store.passes import announce_passes

# A card, what is to be taken off it, and its whole history.
_Part = tuple[CardHistory, list[Entry]]


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
        # Of a grant that went on to another card, the whole is taken back.
        whole = entry.cause and load_entry(tx, merchant_id, entry.cause)
        return _undo(tx, merchant_id, whole or entry, by, reason, now)

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
    undone = take_back(tx, merchant_id, [entry], by, reason, now)
    if isinstance(undone, Undone):
        _tell(tx, merchant_id, undone, by, reason, now)
    return undone


def take_back(
    tx: Tx,
    merchant_id: MerchantId,
    grants: Sequence[Entry],
    by: Staff | None,
    reason: str,
    now: datetime,
    how: How | None = None,
) -> Undone | Refused:
    """Take these grants (≥ 1) back together, the first one's card first: all or none.

    A part of other actions, not one by itself.
    """
    entry = grants[0]
    parts = _lock_parts(tx, merchant_id, grants)
    plans: dict[CardId, OffPlan] = {}
    for card_id, (history, entries) in parts.items():
        plan = decide_undo(history, entries)
        if isinstance(plan, Refused):
            return plan
        plans[card_id] = plan
    if any(_went_on(tx, history, entry, parts) for history, _ in parts.values()):
        return Refused(why=Why.too_late, card_id=entry.card_id)
    counters = {
        card_id: _write(tx, parts[card_id], plan, by, reason, now, how)
        for card_id, plan in plans.items()
    }
    return Undone(
        card_id=entry.card_id,
        entry_id=counters[entry.card_id],
        undoes=entry.id,
        stamps=sum(part.stamps for _, entries in parts.values() for part in entries),
        vouchers=tuple(v for plan in plans.values() for v in plan.void),
    )


def _lock_parts(
    tx: Tx, merchant_id: MerchantId, grants: Sequence[Entry]
) -> Mapping[CardId, _Part]:
    """Each card that got a part of the grants, locked in the order of the giving."""
    lock_card(tx, merchant_id, grants[0].card_id)
    by_card: dict[CardId, list[Entry]] = defaultdict(list)
    for entry in grants:
        for part in [entry, *entries_caused_by(tx, merchant_id, entry.id)]:
            by_card[part.card_id].append(part)
    found = {}
    for card_id, entries in by_card.items():
        card = lock_card(tx, merchant_id, card_id)
        assert card is not None
        found[card_id] = (load_history(tx, card), entries)
    return found


def _went_on(
    tx: Tx, history: CardHistory, entry: Entry, parts: Mapping[CardId, _Part]
) -> bool:
    """Did this card rank up, and has more happened since than the grant itself?"""
    after_id = history.card.next_card_id
    if after_id is None:
        return False
    own = parts[history.card.id][1]
    if not is_last_of_card(history, own[-1]):
        return True
    if after_id in parts:
        after, others = parts[after_id]
    else:
        card = lock_card(tx, history.card.merchant_id, after_id)
        assert card is not None
        after, others = load_history(tx, card), []
    return came_since(after, entry.at, {part.id for part in others})


def _write(
    tx: Tx,
    part: _Part,
    plan: OffPlan,
    by: Staff | None,
    reason: str,
    now: datetime,
    how: How | None,
) -> EntryId:
    history, entries = part
    card, staff_id = history.card, by.id if by else None
    written = append_entries(
        tx,
        card,
        plan.steps,
        how=how or ("till" if by else "api"),
        version=card.version,
        now=now,
        shop_id=entries[0].shop_id,
        staff_id=staff_id,
        reason=reason,
    )
    take_off(tx, card, plan)
    void_vouchers(tx, card, plan.void, actor_of(staff_id), now)
    announce_passes(tx, card.merchant_id, card.id, now)
    kinds = [step.kind for step in plan.steps]
    return written[kinds.index("undo")]


def _tell(
    tx: Tx,
    merchant_id: MerchantId,
    undone: Undone,
    by: Staff | None,
    reason: str,
    now: datetime,
) -> None:
    ids = {"card": undone.card_id, "entry": undone.entry_id}
    emit(tx, load_merchant(tx, merchant_id), "stamp.undone", now, **ids)
    note(
        tx,
        merchant_id,
        actor_of(by.id if by else None),
        "stamp.undone",
        undone.card_id,
        now,
        stamps=undone.stamps,
        entry=undone.entry_id,
        undoes=undone.undoes,
        reason=reason,
    )
