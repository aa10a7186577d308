"""May a voucher be used, and may its use be taken back; and the customer's request
that staff confirm its use: pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NewType

from core.rules.asking import Refused
from core.rules.types import (
    Card,
    CardId,
    EntryId,
    MerchantId,
    ShopId,
    Staff,
    StaffId,
    Voucher,
    VoucherId,
    Why,
)
from core.rules.undoing import GRACE

RedemptionId = NewType("RedemptionId", str)
RedemptionState = Literal["waiting", "done", "expired", "cancelled"]

# So long a customer's request waits for staff.
WAITS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A customer's request to use a voucher, which staff confirm at the till.

    `decided_at` is when it stopped waiting, `staff_id` who confirmed or cancelled it
    (None: the customer, a machine or the clock), `entry_id` the line of the use.
    """

    id: RedemptionId
    merchant_id: MerchantId
    voucher_id: VoucherId
    card_id: CardId
    state: RedemptionState
    asked_at: datetime
    expires_at: datetime
    shop_id: ShopId | None = None
    decided_at: datetime | None = None
    staff_id: StaffId | None = None
    entry_id: EntryId | None = None

    def as_of(self, now: datetime) -> Redemption:
        """The same at `now`: what has waited too long has expired by itself."""
        is_over = self.state == "waiting" and self.expires_at <= now
        return replace(self, state="expired") if is_over else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A customer's request waits, or waited, for staff."""

    redemption_id: RedemptionId


def was_used(asked: Redemption, voucher: Voucher) -> bool:
    """Was the voucher used by this request, and not given back since?"""
    is_its = voucher.redemption_id is not None
    return asked.state == "done" and is_its and voucher.redemption_id == asked.entry_id


def waits_until(voucher: Voucher, now: datetime) -> datetime:
    """Until when a request made at `now` waits: never longer than the voucher."""
    return min(now + WAITS, voucher.expires_at or now + WAITS)


def decide_redeem(
    card: Card, voucher: Voucher, by: Staff | None, now: datetime
) -> Refused | None:
    """None where `voucher` may be used at `now`, confirmed by `by` (None: a machine).

    A paused or archived program's vouchers stay good; a stopped card's do not.
    """
    if by is not None and by.role == "viewer":
        return _refused(card, Why.not_allowed)
    match voucher.state:
        case "redeemed":
            return _refused(card, Why.already_used)
        case "void":
            return _refused(card, Why.void_voucher)
        case "expired":
            return _refused(card, Why.expired_voucher)
        case "issued":
            pass
    if voucher.expires_at is not None and voucher.expires_at <= now:
        return _refused(card, Why.expired_voucher)
    return _refused(card, Why.card_stopped) if card.state == "stopped" else None


def decide_undo_redeem(
    card: Card, voucher: Voucher, by: Staff | None, now: datetime
) -> Refused | None:
    """None where the use of `voucher` may be taken back at `now`: for ten minutes."""
    if by is not None and by.role == "viewer":
        return _refused(card, Why.not_allowed)
    if voucher.state != "redeemed" or voucher.redeemed_at is None:
        return _refused(card, Why.unused_voucher)
    if now - voucher.redeemed_at > GRACE:
        return _refused(card, Why.too_late)
    return None


def decide_confirm(
    card: Card, voucher: Voucher, asked: Redemption, by: Staff | None, now: datetime
) -> Refused | None:
    """None where `by` may confirm the request `asked` at `now`."""
    if by is not None and by.role == "viewer":
        return _refused(card, Why.not_allowed)
    match asked.as_of(now).state:
        case "done":
            return _refused(card, Why.already_used)
        case "expired" | "cancelled":
            return _refused(card, Why.expired_request)
        case "waiting":
            return decide_redeem(card, voucher, by, now)


def decide_cancel(
    card: Card, asked: Redemption, by: Staff | None, now: datetime
) -> Refused | None:
    """None where the request `asked` may be cancelled by staff, or its customer."""
    if by is not None and by.role == "viewer":
        return _refused(card, Why.not_allowed)
    match asked.as_of(now).state:
        case "done":
            return _refused(card, Why.already_used)
        case "expired":
            return _refused(card, Why.expired_request)
        case "waiting" | "cancelled":
            return None


def _refused(card: Card, why: Why) -> Refused:
    return Refused(why=why, card_id=card.id)
