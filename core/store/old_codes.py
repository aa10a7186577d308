"""Codes and passes that cards had before they were re-issued."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from core.database import Tx
from core.rules.types import Card, CardId, CustomerId, MerchantId
from core.store.cards import load_card, update_card
from core.store.outbox import announce
from core.store.passes import GOOD, LATER
from core.store.tables import card, held_pass, old_code
from core.vault import new_letters


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedCode:
    """A code that the card had until `replaced_at`."""

    merchant_id: MerchantId
    code: str
    card_id: CardId
    replaced_at: datetime


def lock_cards_of(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId
) -> list[Card]:
    """A customer's very cards and all that lead to them, locked, in order of id."""
    theirs = select(card.c.id).where(
        card.c.merchant_id == merchant_id, card.c.customer_id == customer_id
    )
    rows = tx.execute(
        select(card.c.id)
        .where(
            card.c.merchant_id == merchant_id,
            or_(card.c.id.in_(theirs), card.c.merged_into.in_(theirs)),
        )
        .order_by(card.c.id)
        .with_for_update()
    ).all()
    found = [load_card(tx, merchant_id, CardId(row.id), own=True) for row in rows]
    return [held for held in found if held is not None]


def renew_code(tx: Tx, held: Card, now: datetime) -> None:
    """Give a (locked) card another code, and keep the one that it had."""
    row = {
        "merchant_id": held.merchant_id,
        "code": held.code,
        "card_id": held.id,
        "replaced_at": now,
    }
    tx.execute(old_code.insert().values(row))
    update_card(tx, held, code=new_letters(13))


def replace_passes(
    tx: Tx, merchant_id: MerchantId, card_ids: Collection[CardId], now: datetime
) -> int:
    """The passes of these very cards are good no more, and are told so; how many."""
    change = (
        held_pass.update()
        .where(
            held_pass.c.merchant_id == merchant_id,
            held_pass.c.card_id.in_(card_ids),
            GOOD,
        )
        .values(changed_at=LATER, replaced_at=now)
        .returning(held_pass.c.id)
    )
    rows = tx.execute(change, {"second": int(now.timestamp())}).all()
    for row in rows:
        announce(tx, merchant_id, f"pass:{row.id}", now)
        tx.signal(f"pass:{row.id}")
    return len(rows)


def find_old_code(tx: Tx, code: str) -> ReplacedCode | None:
    """Whose code it was, whoever's; None for one that is good, or nobody's."""
    row = tx.execute(select(old_code).where(old_code.c.code == code)).first()
    if row is None:
        return None
    return ReplacedCode(
        merchant_id=MerchantId(row.merchant_id),
        code=row.code,
        card_id=CardId(row.card_id),
        replaced_at=row.replaced_at,
    )


def was_reissued(tx: Tx, merchant_id: MerchantId, card_id: CardId) -> bool:
    """Had this very card another code once?"""
    mine = (old_code.c.merchant_id == merchant_id) & (old_code.c.card_id == card_id)
    return tx.execute(select(old_code.c.code).where(mine).limit(1)).first() is not None


def code_until(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, replaced_at: datetime
) -> str:
    """The code that this very card had until that instant, or ""."""
    row = tx.execute(
        select(old_code.c.code).where(
            old_code.c.merchant_id == merchant_id,
            old_code.c.card_id == card_id,
            old_code.c.replaced_at == replaced_at,
        )
    ).first()
    return "" if row is None else str(row.code)
