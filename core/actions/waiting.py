"""What waits for the staff of a merchant at its tills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.redemptions import Waiting, waiting_redemptions
from core.database import Tx
from core.rules.types import MerchantId
from core.store.claims import count_open_claims


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTills:
    """Customers' requests to use a voucher, oldest first, and how many open claims."""

    redemptions: tuple[Waiting, ...]
    n_claims: int


def waiting_at_tills(tx: Tx, merchant_id: MerchantId, now: datetime) -> AtTills:
    """What waits at `now`; changes are signalled as "tills:<id>" and "claims:<id>"."""
    return AtTills(
        redemptions=tuple(waiting_redemptions(tx, merchant_id, now)),
        n_claims=count_open_claims(tx, merchant_id),
    )
