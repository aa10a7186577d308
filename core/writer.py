"""The one thread that writes to SQLite, committing in groups.

Fifty people stamping at once share one fsync: everything that waits runs under one
`BEGIN IMMEDIATE`, each function in its own savepoint, and is answered after the one
commit. An error in one function rolls back that function alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

# Bounds how long the first of a group waits for the last one.
_GROUP = 128


@dataclass(slots=True)
class _Ask:
    run: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    answer: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection of `engine` on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asks: SimpleQueue[_Ask | None] = SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def submit(self, run: Callable[[Connection], T]) -> T:
        """Run `run(connection)` in the next group; returns after the commit."""
        if self._stopped:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        ask = _Ask(run, loop, loop.create_future())
        self._asks.put(ask)
        answer: T = await ask.future
        return answer

    def stop(self) -> None:
        """Finish what waits, close the connection, end the thread."""
        self._stopped = True
        self._asks.put(None)
        self._thread.join()
        self._engine.dispose()

    def _work(self) -> None:
        connection: Connection | None = None
        while (group := self._next_group()) is not None:
            try:
                if connection is None:
                    connection = self._engine.connect()
                _run_group(connection, group)
            except BaseException as error:  # noqa: BLE001 -- whatever it is, the askers must hear it and the thread must live on
                for ask in group:
                    ask.error = ask.error or error
                _drop(connection)
                connection = None
            _answer(group)
        if connection is not None:
            connection.close()

    def _next_group(self) -> list[_Ask] | None:
        first = self._asks.get()
        if first is None:
            return None
        group = [first]
        while len(group) < _GROUP:
            try:
                ask = self._asks.get_nowait()
            except Empty:
                break
            if ask is None:
                self._asks.put(None)
                break
            group.append(ask)
        return group


def _run_group(connection: Connection, group: list[_Ask]) -> None:
    with connection.begin():
        for ask in group:
            try:
                with connection.begin_nested():
                    ask.answer = ask.run(connection)
            except Exception as error:
                ask.error = error
                if not connection.in_transaction():
                    # SQLite rolled everything back by itself (disk full, I/O error).
                    raise


def _answer(group: list[_Ask]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Ask]] = {}
    for ask in group:
        by_loop.setdefault(ask.loop, []).append(ask)
    for loop, asks in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, asks)
        except RuntimeError:
            # The loop has ended; nobody is left to hear the answer.
            continue


def _resolve(asks: list[_Ask]) -> None:
    for ask in asks:
        if ask.future.done():
            continue
        if ask.error is not None:
            ask.future.set_exception(ask.error)
        else:
            ask.future.set_result(ask.answer)


def _drop(connection: Connection | None) -> None:
    if connection is not None:
        connection.invalidate()
        connection.close()
