"""What the clock has ended and nobody has written down yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core.database import Tx
from core.rules.redeeming import RedemptionId
from core.rules.types import CardId, MerchantId, VoucherId
from core.store.tables import card, redemption, voucher


def ended_cards(tx: Tx, now: datetime, limit: int) -> list[tuple[MerchantId, CardId]]:
    """Cards whose time is over and whose stamps are still on them.

    Not those that another card stands for: theirs have been handed on.
    """
    rows = tx.execute(
        select(card.c.merchant_id, card.c.id)
        .where(
            card.c.expires_at <= now,
            card.c.first_stamp_at.is_not(None),
            card.c.next_card_id.is_(None),
            card.c.merged_into.is_(None),
        )
        .order_by(card.c.expires_at, card.c.id)
        .limit(limit)
    )
    return [(MerchantId(row.merchant_id), CardId(row.id)) for row in rows]


def ended_vouchers(
    tx: Tx, now: datetime, limit: int
) -> list[tuple[MerchantId, VoucherId]]:
    """Unused vouchers whose time is over."""
    rows = tx.execute(
        select(voucher.c.merchant_id, voucher.c.id)
        .where(voucher.c.state == "issued", voucher.c.expires_at <= now)
        .order_by(voucher.c.expires_at, voucher.c.id)
        .limit(limit)
    )
    return [(MerchantId(row.merchant_id), VoucherId(row.id)) for row in rows]


def ended_redemptions(
    tx: Tx, now: datetime, limit: int
) -> list[tuple[MerchantId, RedemptionId]]:
    """Requests that have waited too long."""
    rows = tx.execute(
        select(redemption.c.merchant_id, redemption.c.id)
        .where(redemption.c.state == "waiting", redemption.c.expires_at <= now)
        .order_by(redemption.c.expires_at, redemption.c.id)
        .limit(limit)
    )
    return [(MerchantId(row.merchant_id), RedemptionId(row.id)) for row in rows]
