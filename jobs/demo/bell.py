"""Rings when something changed, so that pages and tests wait without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Bell:
    """One ring wakes everybody who waits; `n_rings` only ever grows."""

    def __init__(self) -> None:
        self.n_rings = 0
        self.listeners: list[Callable[[], None]] = []
        self._waiting: set[asyncio.Event] = set()

    def ring(self) -> None:
        """Tell all who wait that something changed."""
        self.n_rings += 1
        for event in self._waiting:
            event.set()
        for listener in self.listeners:
            listener()

    async def until(self, look: Callable[[], T | None], timeout: float) -> T:  # noqa: ASYNC109 -- the callers' whole point is the deadline
        """What `look` finds, looked for again at each ring.

        Raises TimeoutError when it found nothing within `timeout` seconds.
        """
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(timeout):
                while (found := look()) is None:
                    await event.wait()
                    event.clear()
                return found
        finally:
            self._waiting.discard(event)
