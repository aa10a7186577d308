"""Adding stamps to a card: its rewards, the next card, the rank-up card. A part of
other actions, none by itself.

Stamps go in legs. A card whose next round is another card (the rank-up card), or the
same one under a newer version, is filled first; what is left over goes on there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.actions.onward import Spot, go_on, is_at_its_end, rank_up, stand, turns
from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.rules.asking import Refused
from core.rules.collecting import Place, Plan, plan_stamps, room_on
from core.rules.granting import is_expired
from core.rules.linking import still_to_earn
from core.rules.types import (
    Card,
    CardId,
    EntryId,
    EntryKind,
    How,
    Merchant,
    ShopId,
    StaffId,
    VoucherId,
    Why,
)
from core.store.cards import lock_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.passes import announce_passes
from core.store.programs import promises

_ACTS: Mapping[EntryKind, str] = {
    "stamp": "stamp.granted",
    "bonus": "bonus.given",
    "adjust": "card.adjusted",
    "merge": "card.merged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gave:
    """Done: `entry_id` on `card_id` is the first leg, `next_card_id` a rank-up card
    that began by it. `completed`: a card became full.
    """

    card_id: CardId
    entry_id: EntryId
    stamps: int
    completed: bool
    vouchers: tuple[VoucherId, ...]
    next_card_id: CardId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gift:
    """What all legs of one giving have in common."""

    kind: EntryKind
    how: How
    now: datetime
    shop_id: ShopId | None
    staff_id: StaffId | None
    reason: str
    amount: int | None
    remainder: int
    passed: int


def give_stamps(
    tx: Tx,
    merchant: Merchant,
    card: Card | Spot,
    stamps: int,
    *,
    kind: EntryKind = "stamp",
    how: How,
    now: datetime,
    shop_id: ShopId | None = None,
    staff_id: StaffId | None = None,
    reason: str = "",
    amount: int | None = None,
    remainder: int = 0,
    passed: int = 0,
) -> Gave | Refused:
    """Add `stamps` to a (locked) card whatever its limits say.

    They go to the card that stands for it now, see `current_card`; a `Spot` has been
    looked up so already. 0 stamps are for a purchase of which only the `remainder` is
    kept. Stamps that come from a card of the same program `passed` so many there, and
    had the rewards on that way. Refused where the card is stopped or its fixed last day
    is over.
    """
    gift = _Gift(
        kind=kind,
        how=how,
        now=now,
        shop_id=shop_id,
        staff_id=staff_id,
        reason=reason,
        amount=amount,
        remainder=remainder,
        passed=passed,
    )
    spot = card if isinstance(card, Spot) else stand(tx, current_card(tx, card))
    if spot.card.state == "stopped" or spot.program.state == "archived":
        return Refused(why=Why.card_stopped, card_id=spot.card.id)
    gave = _give(tx, merchant, spot, stamps, gift)
    if isinstance(gave, Gave):
        _tell(tx, merchant, gave, gift)
    return gave


def current_card(tx: Tx, card: Card) -> Card:
    """The (locked) card that stands for a (locked) one: linked to, or ranked up to."""
    while (onward := card.merged_into or card.next_card_id) is not None:
        found = lock_card(tx, card.merchant_id, onward)
        assert found is not None
        card = found
    return card


def _give(
    tx: Tx, merchant: Merchant, spot: Spot, stamps: int, gift: _Gift
) -> Gave | Refused:
    gave: Gave | None = None
    left, has_gone_on = stamps, False
    while True:
        place = _place(tx, merchant, spot, gift.now)
        has_onward = turns(tx, merchant, spot, gift.now)
        if left and has_onward and is_at_its_end(merchant, place, spot):
            cause, has_gone_on = gave.entry_id if gave else None, True
            spot = go_on(tx, merchant, spot, gift.now, cause)
            if gave is not None and spot.card.id != gave.card_id:
                gave = replace(gave, next_card_id=spot.card.id)
            continue
        part = min(left, room_on(place)) if has_onward and left else left
        plan = plan_stamps(place, part, gift.kind, 0 if gave else gift.remainder)
        if isinstance(plan, Refused):
            # What was written would stay: nothing was, or this cannot be.
            assert gave is None
            assert not has_gone_on
            return plan
        gave, card = _write(tx, merchant, place, part, plan, gift, gave)
        spot, left = replace(spot, card=card), left - part
        if not left:
            return _begin_rank_up(tx, merchant, spot, gave, gift.now)


def _begin_rank_up(
    tx: Tx, merchant: Merchant, spot: Spot, gave: Gave, now: datetime
) -> Gave:
    """A card that has just become full begins its rank-up card at once."""
    is_full = gave.completed and spot.card.balance >= spot.design.goal
    if not is_full or rank_up(tx, merchant, spot, now) is None:
        return gave
    after = go_on(tx, merchant, spot, now, gave.entry_id)
    return replace(gave, next_card_id=after.card.id)


def _write(
    tx: Tx,
    merchant: Merchant,
    place: Place,
    stamps: int,
    plan: Plan,
    gift: _Gift,
    before: Gave | None,
) -> tuple[Gave, Card]:
    """One leg; what was given so far, and the card as it is after it."""
    card = place.card
    values = _values(card, stamps, plan)
    entries = append_entries(
        tx,
        card,
        plan.steps,
        how=gift.how,
        version=card.version,
        now=gift.now,
        shop_id=gift.shop_id,
        staff_id=gift.staff_id,
        reason=gift.reason,
        cause=before.entry_id if before else None,
        amount=None if before else gift.amount,
        card_values=values,
    )
    entry_id = entries[[step.kind for step in plan.steps].index(gift.kind)]
    is_first_card = before is None or before.card_id == card.id
    passed = gift.passed if is_first_card else 0
    earned = still_to_earn(plan.advance.earned, place.design, passed)
    vouchers = issue_vouchers(tx, merchant, card, earned, entry_id, gift.now)
    announce_passes(tx, card.merchant_id, card.id, gift.now)
    completed = plan.advance.completions > 0
    gave = Gave(
        card_id=card.id,
        entry_id=entry_id,
        stamps=stamps,
        completed=completed,
        vouchers=vouchers,
    )
    if before is not None:
        gave = replace(
            before,
            stamps=before.stamps + stamps,
            completed=before.completed or completed,
            vouchers=before.vouchers + vouchers,
        )
    return gave, replace(card, **values)


def _values(card: Card, stamps: int, plan: Plan) -> dict[str, Any]:
    values = {
        "balance": plan.advance.balance,
        "cycle": card.cycle + plan.advance.completions,
        "total": card.total + stamps,
        "first_stamp_at": plan.first_stamp_at,
        "last_stamp_at": plan.last_stamp_at,
        "expires_at": plan.expires_at,
        "remainder": plan.remainder,
    }
    if plan.begins:
        values |= {"promise_from": card.version, "extended_to": None}
    return values


def _tell(tx: Tx, merchant: Merchant, gave: Gave, gift: _Gift) -> None:
    actor = f"staff:{gift.staff_id}" if gift.staff_id else gift.how
    detail: dict[str, Any] = {
        "stamps": gave.stamps,
        "entry": gave.entry_id,
        "how": gift.how,
        "shop": gift.shop_id,
    }
    detail |= {"reason": gift.reason} if gift.reason else {}
    note(tx, merchant.id, actor, _ACTS[gift.kind], gave.card_id, gift.now, **detail)
    if gift.kind == "stamp":
        ids = {"card": gave.card_id, "entry": gave.entry_id}
        emit(tx, merchant, "stamp.granted", gift.now, **ids)


def _place(tx: Tx, merchant: Merchant, spot: Spot, now: datetime) -> Place:
    card = spot.card
    is_settled = card.promise_from >= card.version or is_expired(card, now)
    return Place(
        card=card,
        design=spot.design,
        promises=(spot.design.expires,) if is_settled else promises(tx, card),
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
        now=now,
    )
