"""Wake-ups inside one process: "card:<id> changed". A hint, never the truth.

Other processes' changes are not seen here, so every waiter also looks by itself after
a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Self


class Signals:
    """Who watches which topic. Belongs to one event loop."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}

    def fire(self, topics: Iterable[str]) -> None:
        """Wake every watch on these topics."""
        for topic in topics:
            for watch in self._watches.get(topic, ()):
                watch.wake()

    def watch(self, topics: Collection[str]) -> Watch:
        """A watch on `topics`; it notices from `with` on."""
        return Watch(self, topics)

    def add(self, watch: Watch) -> None:
        """Begin to wake `watch`."""
        for topic in watch.topics:
            self._watches.setdefault(topic, set()).add(watch)

    def remove(self, watch: Watch) -> None:
        """Stop waking `watch`."""
        for topic in watch.topics:
            others = self._watches.get(topic, set())
            others.discard(watch)
            if not others:
                self._watches.pop(topic, None)


class Watch:
    """Remembers a signal until it is waited for, so that none falls in between."""

    def __init__(self, signals: Signals, topics: Collection[str]) -> None:
        self._signals = signals
        self._woken = asyncio.Event()
        self.topics = frozenset(topics)

    def __enter__(self) -> Self:
        self._signals.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._signals.remove(self)

    def wake(self) -> None:
        """Let the next (or present) `wait` return at once."""
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a signal since the last `wait`; False when `seconds` passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True
