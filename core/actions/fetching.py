"""Noting what phones have fetched, and telling those once more that have not."""

from __future__ import annotations

from datetime import datetime

from core.actions.channels import apple_credentials
from core.actions.outbox import why_halted
from core.database import Tx
from core.rules.types import MerchantId, PassId
from core.store.fetching import find_unfetched, note_fetched, nudge


def find_missed(
    tx: Tx, merchant_id: MerchantId, after: PassId | None, limit: int, now: datetime
) -> list[PassId]:
    """A page of the merchant's passes whose phones have not fetched a change of hours
    ago; none while nothing of the merchant's can be pushed.
    """
    if apple_credentials(tx, merchant_id) is None:
        return []
    if why_halted(tx, merchant_id, "apple") is not None:
        return []
    return find_unfetched(tx, merchant_id, after, limit, now)


__all__ = ["find_missed", "note_fetched", "nudge"]
