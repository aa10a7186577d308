"""Does every card say what its ledger entries add up to?

The same question is asked of the live database each night and of every backup.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.database import Tx
from core.store.tables import card
from jobs.parts import Parts

_MOST = 100

# Cards that contradict their ledger, by balance, by all stamps ever kept, or by the
# number of entries. What expires or goes on to the next round was kept all the same.
_WRONG_STAMPS = """
SELECT card.merchant_id, card.id
FROM card
LEFT JOIN (
    SELECT merchant_id, card_id, SUM(stamps) AS stamps, COUNT(*) AS n, MAX(seq) AS seq,
        SUM(CASE WHEN kind IN ('rollover', 'expiry') THEN 0 ELSE stamps END) AS kept
    FROM ledger_entry
    GROUP BY merchant_id, card_id
) AS sums ON sums.merchant_id = card.merchant_id AND sums.card_id = card.id
WHERE card.balance <> COALESCE(sums.stamps, 0)
   OR card.total <> COALESCE(sums.kept, 0)
   OR card.n_entries <> COALESCE(sums.n, 0)
   OR card.n_entries <> COALESCE(sums.seq, 0)
ORDER BY card.merchant_id, card.id
LIMIT 100
"""

# The same by what was spent towards the next stamp.
_WRONG_REMAINDERS = """
SELECT card.merchant_id, card.id
FROM card
LEFT JOIN (
    SELECT merchant_id, card_id, SUM(remainder) AS remainder
    FROM ledger_entry
    GROUP BY merchant_id, card_id
) AS sums ON sums.merchant_id = card.merchant_id AND sums.card_id = card.id
WHERE card.remainder <> COALESCE(sums.remainder, 0)
ORDER BY card.merchant_id, card.id
LIMIT 100
"""


def questions(card_columns: Collection[str]) -> list[str]:
    """The SQL that finds wrong cards, for a database whose cards have these columns.

    A backup, or the file that is about to be upgraded, may be of an earlier version.
    """
    is_older = "remainder" not in card_columns
    return [_WRONG_STAMPS] if is_older else [_WRONG_STAMPS, _WRONG_REMAINDERS]


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Compare all cards with the ledger; up to 100 wrong ones are named."""
    del now
    wrong = await parts.db.read(wrong_cards)
    return {
        "wrong": wrong,
        "red": [f"card {each} contradicts its ledger" for each in wrong],
    }


def wrong_cards(tx: Tx) -> list[str]:
    """The ids of cards that do not say what their ledger says, at most 100."""
    found = [
        row.id
        for question in questions(card.c.keys())
        for row in tx.execute(text(question))
    ]
    return list(dict.fromkeys(found))[:_MOST]
