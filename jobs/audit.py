"""Does every card's balance equal the sum of its ledger entries?

The same question is asked of the live database each night and of every backup.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.database import Tx
from jobs.parts import Parts

# Cards that contradict their ledger, by balance or by the number of entries.
WRONG_CARDS = """
SELECT card.merchant_id, card.id
FROM card
LEFT JOIN (
    SELECT merchant_id, card_id, SUM(stamps) AS stamps, COUNT(*) AS n, MAX(seq) AS seq
    FROM ledger_entry
    GROUP BY merchant_id, card_id
) AS sums ON sums.merchant_id = card.merchant_id AND sums.card_id = card.id
WHERE card.balance <> COALESCE(sums.stamps, 0)
   OR card.n_entries <> COALESCE(sums.n, 0)
   OR card.n_entries <> COALESCE(sums.seq, 0)
ORDER BY card.merchant_id, card.id
LIMIT 100
"""


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Compare all cards with the ledger; up to 100 wrong ones are named."""
    del now
    wrong = await parts.db.read(wrong_cards)
    return {
        "wrong": wrong,
        "red": [f"card {card} contradicts its ledger" for card in wrong],
    }


def wrong_cards(tx: Tx) -> list[str]:
    """The ids of cards whose balance is not what their ledger says, at most 100."""
    return [row.id for row in tx.execute(text(WRONG_CARDS))]
