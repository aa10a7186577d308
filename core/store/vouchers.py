"""Issued vouchers, each one reward."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Row,
    bindparam,
    select,
)

from core.database import Tx
from core.ids import new_id
from core.rules.types import (
    Card,
    CardId,
    EntryId,
    MerchantId,
    Reward,
    Voucher,
    VoucherId,
)
from core.store.cards import GROUP
from core.store.tables import voucher
from core.vault import new_digits

# Built once: to build a statement costs more than to run it.
_OPEN_VOUCHERS = (
    select(voucher)
    .where(
        voucher.c.merchant_id == bindparam("of_merchant"),
        voucher.c.card_id.in_(GROUP),
        voucher.c.state == "issued",
        voucher.c.expires_at.is_(None)
        | (voucher.c.expires_at > bindparam("now", type_=voucher.c.expires_at.type)),
    )
    .order_by(voucher.c.issued_at, voucher.c.id)
)


def add_voucher(
    tx: Tx,
    held: Card,
    *,
    reward: Reward,
    entry_id: EntryId,
    expires_at: datetime | None,
    now: datetime,
) -> VoucherId:
    """Issue a voucher for a reward that `entry_id` earned."""
    voucher_id = VoucherId(new_id(now))
    tx.execute(
        voucher.insert().values(
            merchant_id=held.merchant_id,
            id=voucher_id,
            card_id=held.id,
            number=new_digits(4),
            name=reward.name,
            # A gift is at no count of stamps, and taking stamps off never voids it.
            reward_at=reward.at or None,
            state="issued",
            entry_id=entry_id,
            issued_at=now,
            expires_at=expires_at,
        )
    )
    return voucher_id


def list_vouchers(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime
) -> list[Voucher]:
    """A card's vouchers that can still be used, oldest first.

    Also those of the cards that are linked with it.
    """
    mine = {"of_merchant": merchant_id, "of_card": card_id}
    rows = tx.execute(_OPEN_VOUCHERS, {**mine, "now": now})
    return [_voucher(row) for row in rows]


def all_vouchers(tx: Tx, held: Card) -> list[Voucher]:
    """Every voucher of a card whatever became of it, oldest first."""
    rows = tx.execute(
        select(voucher)
        .where(voucher.c.merchant_id == held.merchant_id, voucher.c.card_id == held.id)
        .order_by(voucher.c.issued_at, voucher.c.id)
    )
    return [_voucher(row) for row in rows]


def load_voucher(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId
) -> Voucher | None:
    """One voucher, or None."""
    row = tx.execute(
        select(voucher).where(
            voucher.c.merchant_id == merchant_id, voucher.c.id == voucher_id
        )
    ).first()
    return None if row is None else _voucher(row)


def update_voucher(tx: Tx, held: Card, voucher_id: VoucherId, **values: Any) -> None:
    """Change columns of a (locked) card's voucher."""
    mine = (voucher.c.merchant_id == held.merchant_id) & (voucher.c.id == voucher_id)
    tx.execute(voucher.update().where(mine).values(values))


def _voucher(row: Row[Any]) -> Voucher:
    return Voucher(
        id=VoucherId(row.id),
        card_id=CardId(row.card_id),
        number=row.number,
        name=row.name,
        state=row.state,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        entry_id=EntryId(row.entry_id),
        reward_at=row.reward_at,
        redeemed_at=row.redeemed_at,
        redemption_id=row.redemption_id,
    )
