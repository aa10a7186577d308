"""Issuing vouchers and taking them back: parts of other actions, none by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.database import Tx
from core.rules.expiry import voucher_expires_at
from core.rules.types import (
    Card,
    EntryId,
    Merchant,
    Reward,
    VoucherId,
)
from core.store.hooks import emit
from core.store.journal import note
from core.store.vouchers import add_voucher, update_voucher


def issue_vouchers(
    tx: Tx,
    merchant: Merchant,
    card: Card,
    earned: Sequence[Reward],
    entry_id: EntryId,
    now: datetime,
) -> tuple[VoucherId, ...]:
    """One voucher for each reward that `entry_id` earned on a (locked) card."""
    found = []
    for reward in earned:
        voucher_id = add_voucher(
            tx,
            card,
            reward=reward,
            entry_id=entry_id,
            expires_at=voucher_expires_at(
                reward.valid,
                issued=now,
                zone=ZoneInfo(merchant.timezone),
                day_starts_at=merchant.day_starts_at,
            ),
            now=now,
        )
        emit(tx, merchant, "voucher.issued", now, card=card.id, voucher=voucher_id)
        found.append(voucher_id)
    return tuple(found)


def void_vouchers(
    tx: Tx, card: Card, vouchers: Sequence[VoucherId], actor: str, now: datetime
) -> None:
    """Make unused vouchers void, because stamps that earned them were taken off."""
    for voucher_id in vouchers:
        update_voucher(tx, card, voucher_id, state="void")
        note(tx, card.merchant_id, actor, "voucher.voided", voucher_id, now)
