"""One database behind two methods: `write` and `read`, on SQLite or PostgreSQL.

Both take a plain function of an open transaction, so that no `await` can slip between
a check and its write. On SQLite one thread owns the only writing connection: it takes
everything that waits, runs each function in its own savepoint under one
`BEGIN IMMEDIATE`, commits once and then answers all. Reads go through aiosqlite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, NestedTransaction
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql import Executable

from core.config import Settings
from core.postgres import PostgresServer
from core.signals import Signals, Watch
from core.sqlite import SqliteFile

P = ParamSpec("P")
T = TypeVar("T")


class Tx:
    """One open transaction, synchronous. `signal`s are sent after its commit."""

    __slots__ = ("_connection", "dialect", "signals")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect: str = connection.dialect.name
        self.signals: list[str] = []

    def execute(self, statement: Executable, params: Any = None) -> CursorResult[Any]:
        """Run one statement of SQLAlchemy Core."""
        result: CursorResult[Any] = self._connection.execute(statement, params)
        return result

    def savepoint(self) -> NestedTransaction:
        """Begin a part of this transaction that can be rolled back by itself."""
        return self._connection.begin_nested()

    def signal(self, topic: str) -> None:
        """Wake everybody in this process who watches `topic`, once committed."""
        self.signals.append(topic)


class Database:
    """The only way to the tables. Open with `Database.open`, end with `close`."""

    def __init__(self, store: SqliteFile | PostgresServer) -> None:
        self._store = store
        self._signals = Signals()
        self.dialect: str = store.dialect

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Connect by `settings.database_url`, else to the SQLite file of the folder."""
        url = settings.database_url or f"sqlite:///{settings.sqlite_file}"
        if url.startswith("sqlite"):
            return cls(SqliteFile(url.split("///", 1)[1]))
        return cls(PostgresServer(url))

    async def write(
        self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)` in a transaction of its own; durable when this returns.

        An exception rolls back and is raised here. A caller that is cancelled must
        take the outcome as unknown and ask again with the same idempotency key.
        """

        def run(connection: Connection) -> tuple[T, list[str]]:
            tx = Tx(connection)
            return fn(tx, *args, **kwargs), tx.signals

        answer, signals = await self._store.write(run)
        self._signals.fire(signals)
        return answer

    async def read(
        self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)` on one consistent snapshot. It must not write."""
        return await self._store.read(lambda c: fn(Tx(c), *args, **kwargs))

    def watch(self, topics: Collection[str]) -> Watch:
        """Start to notice signals on `topics`; use it with `with`, before reading."""
        return self._signals.watch(topics)

    async def wait(self, topics: Collection[str], timeout: float) -> bool:  # noqa: ASYNC109 -- a wait without an end would miss other processes' changes
        """Wait at most `timeout` seconds for a signal; True when one came."""
        with self.watch(topics) as watch:
            return await watch.wait(timeout)

    async def close(self) -> None:
        """Finish what was submitted, then let go of every connection."""
        await self._store.close()
