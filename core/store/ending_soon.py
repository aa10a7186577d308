"""What will end soon, and whose holder may have to be reminded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from core.database import Tx
from core.rules.types import CardId, CustomerId, MerchantId, ProgramId, VoucherId
from core.store.tables import card, voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What ends soon: a card's stamps, or one of its vouchers.

    `since` is when the customer last saw until when it is good.
    """

    card_id: CardId
    customer_id: CustomerId
    program_id: ProgramId
    voucher_id: VoucherId | None
    expires_at: datetime
    since: datetime | None


def ending_cards(
    tx: Tx,
    merchant_id: MerchantId,
    programs: Collection[ProgramId],
    window: tuple[datetime, datetime],
    after: str,
    limit: int,
) -> list[Ending]:
    """Cards with stamps that end within `window`, in pages by their id."""
    rows = tx.execute(
        select(card)
        .where(
            card.c.merchant_id == merchant_id,
            card.c.program_id.in_(programs),
            card.c.expires_at > window[0],
            card.c.expires_at <= window[1],
            card.c.first_stamp_at.is_not(None),
            card.c.balance > 0,
            card.c.state == "active",
            card.c.next_card_id.is_(None),
            card.c.merged_into.is_(None),
            card.c.id > after,
        )
        .order_by(card.c.id)
        .limit(limit)
    )
    return [_ending(row, None, row.expires_at, row.last_stamp_at) for row in rows]


def ending_vouchers(
    tx: Tx,
    merchant_id: MerchantId,
    programs: Collection[ProgramId],
    window: tuple[datetime, datetime],
    after: str,
    limit: int,
) -> list[Ending]:
    """Unused vouchers that end within `window`, in pages by their id.

    Each on the card that now stands for the one that earned it.
    """
    stands = func.coalesce(card.c.merged_into, card.c.id)
    other = card.alias("other")
    rows = tx.execute(
        select(
            other,
            voucher.c.id.label("voucher_id"),
            voucher.c.expires_at.label("ends_at"),
            voucher.c.issued_at.label("since"),
        )
        .select_from(voucher)
        .join(
            card,
            (card.c.merchant_id == voucher.c.merchant_id)
            & (card.c.id == voucher.c.card_id),
        )
        .join(
            other, (other.c.merchant_id == card.c.merchant_id) & (other.c.id == stands)
        )
        .where(
            voucher.c.merchant_id == merchant_id,
            card.c.program_id.in_(programs),
            voucher.c.state == "issued",
            voucher.c.expires_at > window[0],
            voucher.c.expires_at <= window[1],
            other.c.state == "active",
            voucher.c.id > after,
        )
        .order_by(voucher.c.id)
        .limit(limit)
    )
    return [_ending(r, VoucherId(r.voucher_id), r.ends_at, r.since) for r in rows]


def _ending(
    row: Row[Any],
    voucher_id: VoucherId | None,
    expires_at: datetime,
    since: datetime | None,
) -> Ending:
    return Ending(
        card_id=CardId(row.id),
        customer_id=CustomerId(row.customer_id),
        program_id=ProgramId(row.program_id),
        voucher_id=voucher_id,
        expires_at=expires_at,
        since=since,
    )
