"""Requests to use a voucher, which wait for staff to confirm them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from core.database import Tx
from core.ids import new_id
from core.rules.redeeming import Redemption, RedemptionId, RedemptionState
from core.rules.types import (
    CardId,
    EntryId,
    MerchantId,
    ShopId,
    StaffId,
    Voucher,
    VoucherId,
)
from core.store.tables import redemption


def add_redemption(
    tx: Tx,
    merchant_id: MerchantId,
    voucher: Voucher,
    *,
    shop_id: ShopId | None,
    expires_at: datetime,
    now: datetime,
) -> RedemptionId:
    """A request that waits; its voucher (on a locked card) has no other waiting."""
    redemption_id = RedemptionId(new_id(now))
    tx.execute(
        redemption.insert().values(
            merchant_id=merchant_id,
            id=redemption_id,
            voucher_id=voucher.id,
            card_id=voucher.card_id,
            shop_id=shop_id,
            state="waiting",
            asked_at=now,
            expires_at=expires_at,
        )
    )
    return redemption_id


def load_redemption(
    tx: Tx, merchant_id: MerchantId, redemption_id: RedemptionId
) -> Redemption | None:
    """One request as it is written down, or None."""
    row = tx.execute(
        select(redemption).where(
            redemption.c.merchant_id == merchant_id, redemption.c.id == redemption_id
        )
    ).first()
    return None if row is None else _redemption(row)


def waiting_of_voucher(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId
) -> Redemption | None:
    """The voucher's request that is written down as waiting, or None."""
    row = tx.execute(
        select(redemption).where(
            redemption.c.merchant_id == merchant_id,
            redemption.c.voucher_id == voucher_id,
            redemption.c.state == "waiting",
        )
    ).first()
    return None if row is None else _redemption(row)


def waiting_redemptions(
    tx: Tx, merchant_id: MerchantId, now: datetime
) -> list[Redemption]:
    """The merchant's requests that wait at `now`, oldest first."""
    rows = tx.execute(
        select(redemption)
        .where(
            redemption.c.merchant_id == merchant_id,
            redemption.c.state == "waiting",
            redemption.c.expires_at > now,
        )
        .order_by(redemption.c.asked_at, redemption.c.id)
    )
    return [_redemption(row) for row in rows]


def settle_redemption(
    tx: Tx,
    asked: Redemption,
    state: RedemptionState,
    now: datetime,
    *,
    staff_id: StaffId | None = None,
    entry_id: EntryId | None = None,
) -> None:
    """Write down what became of a waiting request; its card is locked."""
    mine = (redemption.c.merchant_id == asked.merchant_id) & (
        redemption.c.id == asked.id
    )
    values = {
        "state": state,
        "decided_at": now,
        "staff_id": staff_id,
        "entry_id": entry_id,
    }
    tx.execute(redemption.update().where(mine).values(values))


def _redemption(row: Row[Any]) -> Redemption:
    return Redemption(
        id=RedemptionId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        voucher_id=VoucherId(row.voucher_id),
        card_id=CardId(row.card_id),
        state=row.state,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        shop_id=row.shop_id,
        decided_at=row.decided_at,
        staff_id=row.staff_id,
        entry_id=row.entry_id,
    )
