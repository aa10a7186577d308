"""How fast an issuer may call Google: 10 calls a second, half of what Google allows.

https://developers.google.com/wallet/generic/resources/faq names 20 a second; the other
half is left for other processes and repeats.
"""

from __future__ import annotations

import asyncio

RATE = 10.0
BURST = 10
SLOW_SECONDS = 60.0
# What nobody waits for takes this part of it at most, and only what others leave.
LEISURE_PART = 0.5


class Pace:
    """A token bucket of one issuer: `BURST` at once, then `RATE` a second."""

    def __init__(self, rate: float = RATE, burst: int = BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._due = 0.0
        self._slow_until = 0.0
        self._leisure = asyncio.Lock()
        self._leisure_due = 0.0

    async def take(self) -> None:
        """Wait for this caller's turn."""
        now = asyncio.get_running_loop().time()
        interval = (2 if now < self._slow_until else 1) / self._rate
        due = max(self._due, now)
        self._due = due + interval
        wait = due - now - (self._burst - 1) * interval
        if wait > 0:
            await asyncio.sleep(wait)

    async def take_at_leisure(self) -> None:
        """The same for one of very many, after everybody who is in a hurry."""
        async with self._leisure:
            while (wait := self._left()) > 0:  # noqa: ASYNC110 -- others move it
                await asyncio.sleep(wait)
            now = asyncio.get_running_loop().time()
            pause = 1 / (self._rate * LEISURE_PART)
            self._leisure_due = max(self._leisure_due, now) + pause
            await self.take()

    def _left(self) -> float:
        """Seconds until the next one at leisure may go, as far as is known now."""
        now = asyncio.get_running_loop().time()
        interval = (2 if now < self._slow_until else 1) / self._rate
        queue = self._due - now - (self._burst - 1) * interval
        return max(queue, self._leisure_due - now)

    def slow_down(self) -> None:
        """Google says it is too much: half the rate for a minute, and no burst now."""
        now = asyncio.get_running_loop().time()
        self._slow_until = now + SLOW_SECONDS
        self._due = max(self._due, now + self._burst * 2 / self._rate)
