"""Writing to the operation and usage log from outside the other actions."""

from __future__ import annotations

from core.store.journal import drop_before, note

__all__ = ["drop_before", "note"]
