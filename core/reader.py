"""Reads of SQLite: each a single visit to a thread that keeps its connection open.

SQLAlchemy's own engine for aiosqlite goes to the thread and back for every statement,
BEGIN and ROLLBACK too, which costs seven times as much as the reading.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Connection, Engine

T = TypeVar("T")

# As many reads at once; a long one (an export) must not stop all others.
_READERS = 4
_ROWS_AT_ONCE = 64


class Readers:
    """A few connections to one file, for one event loop; opened as they are needed.

    `connect` makes SQLAlchemy's engine over a connection of the `sqlite3` module.
    """

    def __init__(
        self, file: str, connect: Callable[[Callable[[], sqlite3.Connection]], Engine]
    ) -> None:
        self._file = file
        self._connect = connect
        self._slots = asyncio.Semaphore(_READERS)
        self._idle: list[_Reader] = []
        self._is_closed = False

    async def run(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn(connection)` in a transaction of its own, on one snapshot.

        Raises RuntimeError once closed.
        """
        if self._is_closed:
            raise RuntimeError("the database is closed")
        async with self._slots:
            reader = self._idle.pop() if self._idle else await self._open()
            try:
                return await reader.run(fn)
            finally:
                # One whose asker was cancelled is busy still: what comes next waits.
                self._idle.append(reader)

    async def close(self) -> None:
        """Finish what was begun and let go of every connection."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in range(_READERS):
            await self._slots.acquire()
        while self._idle:
            await self._idle.pop().close()

    async def _open(self) -> _Reader:
        reader = _Reader(self._file, self._connect)
        await reader
        return reader


class _Reader(aiosqlite.Connection):
    """aiosqlite's connection and its thread, which runs whole functions for us."""

    def __init__(
        self, file: str, connect: Callable[[Callable[[], sqlite3.Connection]], Engine]
    ) -> None:
        super().__init__(partial(sqlite3.connect, file), _ROWS_AT_ONCE)
        # Whoever forgets to close must not keep the process from ending.
        self._thread.daemon = True
        self._engine = connect(lambda: self._conn)
        self._session: Connection | None = None

    async def run(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on the thread and give back what it returns or raises."""
        answer: T = await self._visit(partial(self._work, fn))
        return answer

    async def close(self) -> None:
        """End SQLAlchemy's part on the thread that it belongs to, then the rest."""
        await self._visit(self._let_go)
        await super().close()

    async def _visit(self, work: Callable[[], Any]) -> Any:
        # The library's own calls all go this way; it has no public name.
        return await self._execute(work)  # type: ignore[no-untyped-call]

    def _work(self, fn: Callable[[Connection], T]) -> T:
        if self._session is None:
            self._session = self._engine.connect()
        with self._session.begin():
            return fn(self._session)

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.close()
        self._engine.dispose()
