"""Handing out what must be told to others, and noting how it went."""

from __future__ import annotations

from core.store.outbox import (
    Delivery,
    deliver_done,
    deliver_failed,
    release_outbox,
    take_deliveries,
)

__all__ = [
    "Delivery",
    "deliver_done",
    "deliver_failed",
    "release_outbox",
    "take_deliveries",
]
