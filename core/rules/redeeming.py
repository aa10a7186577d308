"""May a voucher be used, and may its use be taken back: pure."""

from __future__ import annotations

from datetime import datetime

from core.rules.asking import Refused
from core.rules.types import (
    Card,
    Staff,
    Voucher,
    Why,
)
from core.rules.undoing import GRACE


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


def _refused(card: Card, why: Why) -> Refused:
    return Refused(why=why, card_id=card.id)
