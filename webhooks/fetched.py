"""Writes down which state of a pass a phone has fetched, after it has its answer.

A note that is lost, with a process that ends, costs one push that nobody needed. So
nothing waits for it, nothing fails by it, and only a few are written at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from core.actions.fetching import note_fetched
from core.database import Database
from core.rules.types import HeldPass, PassId
from webhooks.keys import DB

AT_ONCE = 4
# After a redesign ten thousand phones come within minutes.
MOST_WAITING = 20_000
_STOP_SECONDS = 2.0

log = structlog.get_logger()


class FetchNotes:
    """What is still to be written down, the newest state of each pass."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[PassId, HeldPass] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, held: HeldPass) -> None:
        """A phone got the pass as it is in `held`, or has it already."""
        if held.fetched >= held.changed_at or len(self._waiting) >= MOST_WAITING:
            return
        self._waiting[held.id] = held
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def settle(self) -> None:
        """Wait until all is written that was noted."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def close(self) -> None:
        """Write what is left, unless that takes long."""
        if self._writing is None or self._writing.done():
            return
        _, late = await asyncio.wait({self._writing}, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            few = [self._waiting.pop(key) for key in list(self._waiting)[:AT_ONCE]]
            # One transaction each, which holds one row: no stamp meets two of them.
            ended = await asyncio.gather(
                *(
                    self._db.write(note_fetched, h.merchant_id, h.id, h.changed_at)
                    for h in few
                ),
                return_exceptions=True,
            )
            for error in ended:
                if isinstance(error, Exception):
                    log.warning("fetch_not_noted", error=type(error).__name__)


FETCH_NOTES = web.AppKey("fetch_notes", FetchNotes)


def set_up_fetch_notes(app: web.Application) -> None:
    """Give the application its notes, and end them with it."""
    app[FETCH_NOTES] = notes = FetchNotes(app[DB])

    async def for_life(app: web.Application) -> AsyncIterator[None]:
        del app
        yield
        await notes.close()

    app.cleanup_ctx.append(for_life)
