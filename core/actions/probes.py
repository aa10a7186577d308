"""Is the service able to stamp, and how much waits."""

from __future__ import annotations

from core.store.migrate import newest_revision
from core.store.probes import (
    count_inbox_waiting,
    count_outbox_behind,
    stored_revision,
    write_probe,
)

__all__ = [
    "count_inbox_waiting",
    "count_outbox_behind",
    "newest_revision",
    "stored_revision",
    "write_probe",
]
