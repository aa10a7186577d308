"""Ids: ULIDs, so that newer ones sort later and indexes grow at one end."""

from __future__ import annotations

from datetime import datetime

from ulid import ULID


def new_id(now: datetime) -> str:
    """A fresh id of 26 Crockford letters that begins with the time `now`."""
    return str(ULID.from_datetime(now))
