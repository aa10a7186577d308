"""Ids: ULIDs, so that newer ones sort later and indexes grow at one end.

Also within one millisecond, as far as one process makes them
(https://github.com/ulid/spec#monotonicity), but by a step that nobody can guess.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from threading import Lock

from ulid import ULID

_RANDOM_BITS = 80
_STEP_BITS = 48
_MAX_RECENT = 64

_lock = Lock()
# The last number of each recent millisecond: callers' clocks need not agree.
_recent: dict[int, int] = {}


def new_id(now: datetime) -> str:
    """A fresh id of 26 Crockford letters that begins with the time `now`."""
    millisecond = int(now.timestamp() * 1000)
    with _lock:
        number = _next_number(millisecond)
    return str(ULID(millisecond.to_bytes(6, "big") + number.to_bytes(10, "big")))


def first_id(at: datetime) -> str:
    """The lowest id of that time: whatever is newer sorts after it."""
    return str(ULID(int(at.timestamp() * 1000).to_bytes(6, "big") + bytes(10)))


def _next_number(millisecond: int) -> int:
    last = _recent.get(millisecond)
    number = 0 if last is None else last + 1 + secrets.randbits(_STEP_BITS)
    if not number or number >= 1 << _RANDOM_BITS:
        # The first bit is left free, so that there is room to count up.
        number = secrets.randbits(_RANDOM_BITS - 1)
        if len(_recent) >= _MAX_RECENT:
            _recent.clear()
    _recent[millisecond] = number
    return number
