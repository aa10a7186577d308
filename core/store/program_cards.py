"""All cards of a program at once: counted, moved to a version, good for longer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from core.database import Tx
from core.rules.types import MerchantId, ProgramId
from core.store.tables import card


def count_cards(tx: Tx, merchant_id: MerchantId) -> dict[ProgramId, int]:
    """How many cards of each program are out there; linked ones count once."""
    rows = tx.execute(
        select(card.c.program_id, func.count().label("n_cards"))
        .where(card.c.merchant_id == merchant_id, card.c.merged_into.is_(None))
        .group_by(card.c.program_id)
    )
    return {ProgramId(row.program_id): row.n_cards for row in rows}


def count_balances(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> dict[tuple[int, int], int]:
    """How many cards on which version show how many stamps.

    Without those that another card stands for: their stamps have been handed on.
    """
    rows = tx.execute(
        select(card.c.version, card.c.balance, func.count().label("n_cards"))
        .where(
            _of(merchant_id, program_id),
            card.c.merged_into.is_(None),
            card.c.next_card_id.is_(None),
        )
        .group_by(card.c.version, card.c.balance)
    )
    return {(row.version, row.balance): row.n_cards for row in rows}


def versions_in_use(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> list[int]:
    """The versions that the program's cards are on."""
    mine = select(card.c.version).where(_of(merchant_id, program_id)).distinct()
    return [row.version for row in tx.execute(mine)]


def move_cards(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, version: int
) -> int:
    """Put every card of a program on `version`; how many there are."""
    values = {"version": version, "revision": card.c.revision + 1}
    mine = _of(merchant_id, program_id)
    return tx.execute(card.update().where(mine).values(values)).rowcount


def extend_cards(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, end: datetime, now: datetime
) -> int:
    """Make the cards that would end before `end` good until then; how many.

    Also those that have ended by `now` and lost nothing by it yet: their stamps are
    still on them, or they never had any.
    """
    # A card is good until the last of all promises, so a later one simply wins.
    values = {"extended_to": end, "expires_at": end, "revision": card.c.revision + 1}
    mine = _ending(merchant_id, program_id, end, now)
    return tx.execute(card.update().where(mine).values(values)).rowcount


def count_ending(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, end: datetime, now: datetime
) -> int:
    """How many cards `extend_cards` would change."""
    mine = _ending(merchant_id, program_id, end, now)
    counted = select(func.count()).select_from(card).where(mine)
    return int(tx.execute(counted).scalar_one())


def _ending(
    merchant_id: MerchantId, program_id: ProgramId, end: datetime, now: datetime
) -> Any:
    return (
        _of(merchant_id, program_id)
        & card.c.merged_into.is_(None)
        & card.c.next_card_id.is_(None)
        & (card.c.expires_at < end)
        & or_(
            card.c.expires_at > now,
            card.c.first_stamp_at.is_not(None),
            card.c.total == 0,
        )
    )


def _of(merchant_id: MerchantId, program_id: ProgramId) -> Any:
    return (card.c.merchant_id == merchant_id) & (card.c.program_id == program_id)
