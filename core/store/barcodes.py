"""Codes of passes that are good once: which were scanned, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, tuple_

from core.database import Tx
from core.rules.types import CardId, CustomerId, MerchantId, PassId
from core.store.tables import card, held_pass, used_barcode
from core.store.upsert import put_if_new


@dataclass(frozen=True, slots=True, kw_only=True)
class GooglePass:
    """A pass that may have made a code; since `replaced_at` another one is good."""

    merchant_id: MerchantId
    id: PassId
    card_id: CardId
    replaced_at: datetime | None


def google_passes_of(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[GooglePass]:
    """The passes of a customer's cards and of all that lead to them, oldest first.

    Those that were replaced are among them.
    """
    own = select(card.c.id).where(
        card.c.merchant_id == merchant_id, card.c.customer_id == customer_id
    )
    theirs = select(card.c.id).where(
        card.c.merchant_id == merchant_id,
        or_(card.c.customer_id == customer_id, card.c.merged_into.in_(own)),
    )
    rows = tx.execute(
        select(held_pass.c.id, held_pass.c.card_id, held_pass.c.replaced_at)
        .where(
            held_pass.c.merchant_id == merchant_id,
            held_pass.c.card_id.in_(theirs),
            held_pass.c.issuer == "google",
        )
        .order_by(held_pass.c.id)
    )
    return [
        GooglePass(
            merchant_id=merchant_id,
            id=PassId(row.id),
            card_id=CardId(row.card_id),
            replaced_at=row.replaced_at,
        )
        for row in rows
    ]


def use_barcode(
    tx: Tx, held: GooglePass, counter: int, *, by: str, seen_by: str, now: datetime
) -> bool:
    """Note that `by` scanned the code that a pass made in this period.

    False where somebody else did before, other than `seen_by`, whose it was till now.
    """
    row = {
        "merchant_id": held.merchant_id,
        "pass_id": held.id,
        "counter": counter,
        "used_by": by,
        "used_at": now,
    }
    if put_if_new(tx, used_barcode, row, "merchant_id", "pass_id", "counter"):
        return True
    mine = (
        (used_barcode.c.merchant_id == held.merchant_id)
        & (used_barcode.c.pass_id == held.id)
        & (used_barcode.c.counter == counter)
        & used_barcode.c.used_by.in_([by, seen_by])
    )
    # One statement: of two that take it on at the same moment, one finds it taken.
    return tx.execute(used_barcode.update().where(mine).values(used_by=by)).rowcount > 0


def drop_used_before(tx: Tx, before: datetime, limit: int) -> int:
    """Forget up to `limit` codes that were scanned before then; how many."""
    table = used_barcode
    key = (table.c.merchant_id, table.c.pass_id, table.c.counter)
    old = select(*key).where(table.c.used_at < before).limit(limit)
    return tx.execute(table.delete().where(tuple_(*key).in_(old))).rowcount
