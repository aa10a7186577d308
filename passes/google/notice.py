"""When an update may ring the customer's phone: for a visit, at most three times a day.

Google refuses more than three a pass in 24 hours; the ledger counts them for us. Pure.
https://developers.google.com/wallet/retail/loyalty-cards/use-cases/trigger-push-notifications
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.rules.types import Entry

NOTIFY = {"notifyPreference": "NOTIFY_ON_UPDATE"}
MAX_A_DAY = 3
_DAY = timedelta(hours=24)
# Later than this the customer has left, and the update is a redesign or a repair.
_FRESH = timedelta(minutes=10)
_OF_A_VISIT = {"stamp", "bonus", "rollover"}


def may_ring(entries: Sequence[Entry], now: datetime) -> bool:
    """Does the card's newest change deserve a notification? `entries` newest first."""
    if not entries or entries[0].kind not in _OF_A_VISIT:
        return False
    if now - entries[0].at > _FRESH:
        return False
    visits = {e.at for e in entries if e.kind == "stamp" and now - e.at < _DAY}
    return 0 < len(visits) <= MAX_A_DAY
