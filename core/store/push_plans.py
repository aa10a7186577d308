"""How merchants let us push into LINE, and what LINE says is left of the month."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from core.database import Tx
from core.rules.pushing import Counts, PushPlan, month_start
from core.rules.types import MerchantId
from core.store.tables import notice, push_plan
from core.store.upsert import put, put_if_new


def load_push_plan(tx: Tx, merchant_id: MerchantId) -> PushPlan:
    """The merchant's plan; one that allows nothing where none was made."""
    mine = select(push_plan).where(push_plan.c.merchant_id == merchant_id)
    row = tx.execute(mine).first()
    if row is None:
        return PushPlan(merchant_id=merchant_id)
    values = {k: v for k, v in row._asdict().items() if k != "updated_at"}
    return PushPlan(**values | {"merchant_id": merchant_id})


def lock_push_plan(tx: Tx, merchant_id: MerchantId, now: datetime) -> PushPlan:
    """The same, locked until the end of the transaction: who counts, counts alone."""
    row = {"merchant_id": merchant_id, "updated_at": now}
    put_if_new(tx, push_plan, row, "merchant_id")
    mine = select(push_plan.c.merchant_id).where(push_plan.c.merchant_id == merchant_id)
    tx.execute(mine.with_for_update())
    return load_push_plan(tx, merchant_id)


def put_push_plan(
    tx: Tx, merchant_id: MerchantId, now: datetime, **values: Any
) -> None:
    """Change columns of the merchant's plan; makes it where there is none."""
    row = {"merchant_id": merchant_id, "updated_at": now, **values}
    put(tx, push_plan, row, "merchant_id")


def count_pushes(tx: Tx, plan: PushPlan, now: datetime) -> Counts:
    """The merchant's pushes by the notices that were sent, or are being sent."""
    mine = (notice.c.merchant_id == plan.merchant_id) & (notice.c.route == "push")
    told = mine & (notice.c.state == "told")
    began = month_start(now)
    looked = max(plan.looked_at or began, began)
    return Counts(
        this_month=_count(tx, told & (notice.c.told_at >= began)),
        since_look=_count(tx, told & (notice.c.told_at >= looked)),
        on_their_way=_count(tx, mine & (notice.c.state == "sending")),
    )


def count_this_month(
    tx: Tx, merchant_id: MerchantId, now: datetime
) -> list[tuple[str, str, int]]:
    """What was told this month: (kind, route, how often)."""
    rows = tx.execute(
        select(notice.c.kind, notice.c.route, func.count().label("n"))
        .where(
            notice.c.merchant_id == merchant_id,
            notice.c.state == "told",
            notice.c.told_at >= month_start(now),
        )
        .group_by(notice.c.kind, notice.c.route)
    )
    return [(row.kind, row.route, row.n) for row in rows]


def count_waiting(tx: Tx, merchant_id: MerchantId) -> list[tuple[str, str, int]]:
    """What waits to be told: (kind, state, how many)."""
    rows = tx.execute(
        select(notice.c.kind, notice.c.state, func.count().label("n"))
        .where(
            notice.c.merchant_id == merchant_id,
            or_(*(notice.c.state == s for s in ("waiting", "queued", "sending"))),
        )
        .group_by(notice.c.kind, notice.c.state)
    )
    return [(row.kind, row.state, row.n) for row in rows]


def _count(tx: Tx, where: Any) -> int:
    statement = select(func.count()).select_from(notice).where(where)
    return int(tx.execute(statement).scalar_one())
