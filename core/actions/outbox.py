"""Handing out what must be told to others, and noting how it went."""

from __future__ import annotations

from datetime import datetime

from core.database import Tx
from core.store import outbox
from core.store.halting import hold_back, why_halted
from core.store.outbox import (
    Delivery,
    Place,
    deliver_done,
    look_at_leisure,
    release_outbox,
    take_at_leisure,
    take_deliveries,
)


def deliver_failed(
    tx: Tx,
    delivery: Delivery,
    *,
    error: str,
    due_at: datetime,
    now: datetime,
    dead: bool = False,
    halts: bool = False,
) -> None:
    """It did not arrive: again at `due_at`, or never while `dead`.

    `halts`: nothing of the merchant's arrives there, so that the others need not try.
    """
    outbox.deliver_failed(
        tx, delivery, error=error, due_at=due_at, dead=dead, halts=halts
    )
    if halts:
        hold_back(tx, delivery, error=error, due_at=due_at, now=now)


__all__ = [
    "Delivery",
    "Place",
    "deliver_done",
    "deliver_failed",
    "look_at_leisure",
    "release_outbox",
    "take_at_leisure",
    "take_deliveries",
    "why_halted",
]
