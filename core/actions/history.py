"""What the rules about taking back need to know of a card: a part of other actions."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from core.database import Tx
from core.errors import Invalid
from core.rules.linking import had_elsewhere
from core.rules.types import Card, Merchant
from core.rules.undoing import CardHistory, OffPlan
from core.store.cards import update_card
from core.store.ledger import all_entries
from core.store.merchants import load_merchant
from core.store.programs import designs_between, promises
from core.store.vouchers import all_vouchers

MAX_REASON = 200


def load_history(tx: Tx, card: Card) -> CardHistory:
    """All that happened to a (locked) card, with the designs it went through."""
    merchant: Merchant = load_merchant(tx, card.merchant_id)
    entries = all_entries(tx, card)
    oldest = min((entry.version for entry in entries), default=card.version)
    seen = {entry.version for entry in entries if entry.version <= card.version}
    designs = designs_between(tx, card, oldest, seen)
    vouchers = all_vouchers(tx, card)
    return CardHistory(
        card=card,
        designs=designs,
        promises=promises(tx, card),
        entries=entries,
        vouchers=[*vouchers, *had_elsewhere(entries, designs, vouchers)],
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )


def take_off(tx: Tx, card: Card, plan: OffPlan) -> None:
    """Put a (locked) card where the plan has it."""
    update_card(
        tx,
        card,
        balance=plan.balance,
        cycle=plan.cycle,
        total=plan.total,
        remainder=plan.remainder,
        first_stamp_at=plan.first_stamp_at,
        last_stamp_at=plan.last_stamp_at,
        expires_at=plan.expires_at,
        # What has room again takes its stamps itself.
        next_card_id=None,
    )


def check_reason(reason: str, *, needed: bool) -> str:
    """The reason without blanks around it. Raises `Invalid` for "reason"."""
    text = reason.strip()
    if needed and not text:
        raise Invalid({"reason": ("invalid.empty", {})})
    if len(text) > MAX_REASON:
        raise Invalid({"reason": ("invalid.long", {"max": MAX_REASON})})
    if any(ord(letter) < ord(" ") for letter in text):
        raise Invalid({"reason": ("invalid.control", {})})
    return text


def actor_of(staff_id: str | None) -> str:
    """Who did it, as the journal has it."""
    return f"staff:{staff_id}" if staff_id else "api"
