"""Batches of receipt codes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from core.database import Tx
from core.rules.types import MerchantId, ProgramId, ShopId, TillCode
from core.store.tables import receipt_batch, till_code


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBatch:
    """Codes that were made together; `n_used` of `n_codes` were claimed."""

    id: str
    merchant_id: MerchantId
    name: str
    program_id: ProgramId
    shop_id: ShopId
    stamps: int
    n_codes: int
    n_used: int
    expires_at: datetime | None
    made_at: datetime
    revoked_at: datetime | None


def add_batch(
    tx: Tx, batch: ReceiptBatch, codes: list[TillCode], now: datetime
) -> None:
    """Keep a batch with all its codes."""
    tx.execute(
        receipt_batch.insert().values(
            merchant_id=batch.merchant_id,
            id=batch.id,
            name=batch.name,
            program_id=batch.program_id,
            shop_id=batch.shop_id,
            stamps=batch.stamps,
            n_codes=batch.n_codes,
            expires_at=batch.expires_at,
            made_at=now,
        )
    )
    rows = [
        {
            "merchant_id": code.merchant_id,
            "code": code.code,
            "digits": code.digits,
            "program_id": code.program_id,
            "shop_id": code.shop_id,
            "stamps": code.stamps,
            "created_at": now,
            "expires_at": code.expires_at,
            "kind": code.kind,
            "batch_id": code.batch_id,
        }
        for code in codes
    ]
    tx.execute(till_code.insert(), rows)


def list_batches(tx: Tx, merchant_id: MerchantId) -> list[ReceiptBatch]:
    """The merchant's batches, newest first."""
    rows = tx.execute(
        select(receipt_batch, _n_used())
        .where(receipt_batch.c.merchant_id == merchant_id)
        .order_by(receipt_batch.c.id.desc())
    )
    return [_batch(row) for row in rows]


def load_batch(tx: Tx, merchant_id: MerchantId, batch_id: str) -> ReceiptBatch | None:
    """One batch, or None."""
    row = tx.execute(
        select(receipt_batch, _n_used()).where(
            receipt_batch.c.merchant_id == merchant_id, receipt_batch.c.id == batch_id
        )
    ).first()
    return None if row is None else _batch(row)


def end_batch(tx: Tx, batch: ReceiptBatch, now: datetime) -> None:
    """Let every code of a batch that is not used expire now."""
    tx.execute(
        receipt_batch.update()
        .where(
            receipt_batch.c.merchant_id == batch.merchant_id,
            receipt_batch.c.id == batch.id,
        )
        .values(revoked_at=now)
    )
    tx.execute(
        till_code.update()
        .where(
            till_code.c.merchant_id == batch.merchant_id,
            till_code.c.batch_id == batch.id,
            till_code.c.claimed_at.is_(None),
        )
        .values(expires_at=now)
    )


def _n_used() -> Any:
    return (
        select(func.count())
        .where(
            till_code.c.merchant_id == receipt_batch.c.merchant_id,
            till_code.c.batch_id == receipt_batch.c.id,
            till_code.c.claimed_at.is_not(None),
        )
        .scalar_subquery()
        .label("n_used")
    )


def _batch(row: Row[Any]) -> ReceiptBatch:
    return ReceiptBatch(
        id=row.id,
        merchant_id=MerchantId(row.merchant_id),
        name=row.name,
        program_id=ProgramId(row.program_id),
        shop_id=ShopId(row.shop_id),
        stamps=row.stamps,
        n_codes=row.n_codes,
        n_used=row.n_used,
        expires_at=row.expires_at,
        made_at=row.made_at,
        revoked_at=row.revoked_at,
    )
