"""Writing what a new version's goal does to a card: a part of other actions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.rules.cycle import Advance
from core.rules.types import Card, Merchant
from core.store.ledger import append_entries


def meet_new_goal(
    tx: Tx, merchant: Merchant, card: Card, moved: Advance, now: datetime, **values: Any
) -> None:
    """Put a (locked) card where `moved` (with ≥ 1 step) has it, with its vouchers.

    `card` is on the new version already; `values` are further columns of it to change.
    """
    entries = append_entries(
        tx,
        card,
        moved.steps,
        how="rule",
        version=card.version,
        now=now,
        card_values={
            "balance": moved.balance,
            "cycle": card.cycle + moved.completions,
            **values,
        },
    )
    issue_vouchers(tx, merchant, card, moved.earned, entries[0], now)
