"""Claims of missing stamps, each with the customer's refused attempts before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from core.database import Tx
from core.ids import new_id
from core.rules.claiming import Attempt, Claim, ClaimState
from core.rules.types import (
    CardId,
    ClaimId,
    CustomerId,
    MerchantId,
    ProgramId,
    Why,
)
from core.store.tables import card, claim, customer, refusal
from core.store.upsert import put_if_new

# What one page can show, and what one claim can carry.
MOST_CLAIMS = 200
MOST_ATTEMPTS = 20


def add_claim(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    customer_id: CustomerId,
    card_id: CardId,
    text: str,
    refusals: Sequence[Attempt],
    now: datetime,
) -> ClaimId | None:
    """Keep a claim; None when one for this card is open already."""
    claim_id = ClaimId(new_id(now))
    row = {
        "merchant_id": merchant_id,
        "id": claim_id,
        "customer_id": customer_id,
        "card_id": card_id,
        "text": text,
        "refusals": [
            {"at": each.at.isoformat(), "why": each.why.value, "code": each.code}
            for each in refusals
        ],
        "state": "open",
        "made_at": now,
    }
    return claim_id if put_if_new(tx, claim, row) else None


def attempts_since(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, since: datetime
) -> list[Attempt]:
    """The customer's refused attempts since then, newest first, the last 20."""
    rows = tx.execute(
        select(refusal)
        .where(
            refusal.c.merchant_id == merchant_id,
            refusal.c.customer_id == customer_id,
            refusal.c.at > since,
        )
        .order_by(refusal.c.at.desc(), refusal.c.id.desc())
        .limit(MOST_ATTEMPTS)
    )
    return [Attempt(at=row.at, why=Why(row.why), code=row.code) for row in rows]


def lock_claim(tx: Tx, merchant_id: MerchantId, claim_id: ClaimId) -> Claim | None:
    """One claim, locked until the end of the transaction, or None."""
    row = tx.execute(
        select(claim)
        .where(claim.c.merchant_id == merchant_id, claim.c.id == claim_id)
        .with_for_update()
    ).first()
    return None if row is None else _claim(row)


def update_claim(
    tx: Tx, merchant_id: MerchantId, claim_id: ClaimId, **values: Any
) -> None:
    """Change columns of one (locked) claim."""
    mine = (claim.c.merchant_id == merchant_id) & (claim.c.id == claim_id)
    tx.execute(claim.update().where(mine).values(values))


def claims_since(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, since: datetime
) -> list[Claim]:
    """What this customer claimed since then, in any state."""
    rows = tx.execute(
        select(claim).where(
            claim.c.merchant_id == merchant_id,
            claim.c.customer_id == customer_id,
            claim.c.made_at >= since,
        )
    )
    return [_claim(row) for row in rows]


def blank_claim(tx: Tx, merchant_id: MerchantId, claim_id: ClaimId) -> None:
    """Forget the customer's words of a claim; a page that shows it looks again."""
    update_claim(tx, merchant_id, claim_id, text="")
    tx.signal(f"claims:{merchant_id}")


def find_claims(
    tx: Tx,
    merchant_id: MerchantId,
    state: ClaimState | None,
    customer_id: CustomerId | None,
) -> list[tuple[Claim, str, str, ProgramId]]:
    """Claims with the customer's name and number, and the card's program.

    Newest first, 200 at most; those of people who left are not there.
    """
    statement = (
        select(claim, customer.c.name, customer.c.member_no, card.c.program_id)
        .join(
            customer,
            (customer.c.merchant_id == claim.c.merchant_id)
            & (customer.c.id == claim.c.customer_id),
        )
        .join(
            card,
            (card.c.merchant_id == claim.c.merchant_id)
            & (card.c.id == claim.c.card_id),
        )
        .where(claim.c.merchant_id == merchant_id, customer.c.erased_at.is_(None))
        .order_by(claim.c.made_at.desc(), claim.c.id.desc())
        .limit(MOST_CLAIMS)
    )
    if state is not None:
        statement = statement.where(claim.c.state == state)
    if customer_id is not None:
        statement = statement.where(claim.c.customer_id == customer_id)
    return [
        (_claim(row), row.name, row.member_no, ProgramId(row.program_id))
        for row in tx.execute(statement)
    ]


def count_open_claims(tx: Tx, merchant_id: MerchantId) -> int:
    """How many claims wait for a decision, without those of people who left."""
    statement = (
        select(func.count())
        .select_from(claim)
        .join(
            customer,
            (customer.c.merchant_id == claim.c.merchant_id)
            & (customer.c.id == claim.c.customer_id),
        )
        .where(
            claim.c.merchant_id == merchant_id,
            claim.c.state == "open",
            customer.c.erased_at.is_(None),
        )
    )
    return int(tx.execute(statement).scalar_one())


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        id=ClaimId(row.id),
        customer_id=CustomerId(row.customer_id),
        card_id=CardId(row.card_id),
        text=row.text,
        refusals=tuple(
            Attempt(
                at=datetime.fromisoformat(each["at"]),
                why=Why(each["why"]),
                code=each["code"],
            )
            for each in row.refusals
        ),
        state=row.state,
        made_at=row.made_at,
        decided_at=row.decided_at,
        staff_id=row.staff_id,
        entry_id=row.entry_id,
        answer=row.answer,
    )
