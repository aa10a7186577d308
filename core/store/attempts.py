"""What a customer tried and was refused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core.database import Tx
from core.rules.types import CustomerId, MerchantId
from core.store.tables import refusal


def last_refused_code(
    tx: Tx,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    why: str,
    since: datetime,
    until: datetime,
) -> str | None:
    """The code of this customer that was refused last for `why`, or None.

    From `since` on, and up to `until`: what came later is no matter of an event that
    is looked at again after a crash.
    """
    row = tx.execute(
        select(refusal.c.code)
        .where(
            refusal.c.merchant_id == merchant_id,
            refusal.c.customer_id == customer_id,
            refusal.c.why == why,
            refusal.c.at >= since,
            refusal.c.at <= until,
        )
        .order_by(refusal.c.at.desc(), refusal.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else str(row.code)
