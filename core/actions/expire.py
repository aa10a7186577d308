"""What ends by the clock alone: stamps, vouchers, and requests that waited too long.

A card's line is the one that its next stamp would have written, had that come first;
see `core.rules.collecting`.
"""

from __future__ import annotations

from datetime import datetime

from core.database import Tx
from core.rules.cycle import Step
from core.rules.granting import is_expired
from core.rules.redeeming import RedemptionId
from core.rules.types import Card, CardId, MerchantId, VoucherId
from core.store.cards import lock_card, update_card
from core.store.expiring import ended_cards, ended_redemptions, ended_vouchers
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.passes import announce_passes
from core.store.redemptions import load_redemption, settle_redemption
from core.store.vouchers import load_voucher, update_voucher

_ACTOR = "clock"


def expire_due(tx: Tx, now: datetime, limit: int) -> int:
    """Write down up to `limit` of the ends that are due, of all merchants; how many.

    0 means that nothing is left to do.
    """
    count = sum(_end_card(tx, *key, now) for key in ended_cards(tx, now, limit))
    vouchers = ended_vouchers(tx, now, limit - count)
    count += sum(_end_voucher(tx, *key, now) for key in vouchers)
    asked = ended_redemptions(tx, now, limit - count)
    return count + sum(_end_redemption(tx, *key, now) for key in asked)


def _end_card(tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime) -> bool:
    card = lock_card(tx, merchant_id, card_id, own=True)
    # A stamp may have come, or the card been handed on, while we waited for the lock.
    if card is None or not _has_stamps_to_end(card, now):
        return False
    [entry_id] = append_entries(
        tx,
        card,
        (Step("expiry", -card.balance, 0, -card.remainder),),
        how="rule",
        version=card.version,
        now=now,
        # `expires_at` stays: the card says that it has expired until its next stamp.
        card_values={
            "balance": 0,
            "remainder": 0,
            "first_stamp_at": None,
            "promise_from": card.version,
            "extended_to": None,
        },
    )
    announce_passes(tx, merchant_id, card_id, now)
    detail = {"stamps": card.balance, "entry": entry_id}
    note(tx, merchant_id, _ACTOR, "card.expired", card_id, now, **detail)
    return True


def _has_stamps_to_end(card: Card, now: datetime) -> bool:
    stands_for_itself = card.next_card_id is None and card.merged_into is None
    return (
        is_expired(card, now) and card.first_stamp_at is not None and stands_for_itself
    )


def _end_voucher(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId, now: datetime
) -> bool:
    known = load_voucher(tx, merchant_id, voucher_id)
    card = None if known is None else lock_card(tx, merchant_id, known.card_id)
    voucher = load_voucher(tx, merchant_id, voucher_id)
    if voucher is None or card is None or voucher.state != "issued":
        return False
    if voucher.expires_at is None or voucher.expires_at > now:
        return False
    update_voucher(tx, card, voucher_id, state="expired")
    update_card(tx, card)
    announce_passes(tx, merchant_id, card.id, now)
    detail = {"card": card.id}
    note(tx, merchant_id, _ACTOR, "voucher.expired", voucher_id, now, **detail)
    return True


def _end_redemption(
    tx: Tx, merchant_id: MerchantId, redemption_id: RedemptionId, now: datetime
) -> bool:
    asked = load_redemption(tx, merchant_id, redemption_id)
    card = None if asked is None else lock_card(tx, merchant_id, asked.card_id)
    asked = load_redemption(tx, merchant_id, redemption_id)
    if asked is None or card is None or asked.state != "waiting":
        return False
    if asked.expires_at > now:
        return False
    # Everybody has seen it expire by the clock already: this only writes it down.
    settle_redemption(tx, asked, "expired", now)
    tx.signal(f"tills:{merchant_id}")
    tx.signal(f"card:{card.id}")
    return True
