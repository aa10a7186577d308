"""One database behind two methods: `write` and `read`, on SQLite or PostgreSQL.

Both take a plain function of an open transaction, so that no `await` can slip between
a check and its write. On SQLite one thread owns the only writing connection: it takes
everything that waits, runs each function in its own savepoint under one
`BEGIN IMMEDIATE`, commits once and then answers all. Reads go through aiosqlite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    NestedTransaction,
    create_engine,
    event,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import Executable

from core.config import Settings
from core.signals import Signals, Watch
from core.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

# Serialisation failure, deadlock: PostgreSQL asks us to run the transaction again.
_AGAIN = {"40001", "40P01"}
_TRIES = 5


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

    def __init__(self, writer: Writer | None, engine: AsyncEngine) -> None:
        self._writer = writer
        self._engine = engine
        self._signals = Signals()
        self.dialect: str = engine.dialect.name

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Connect by `settings.database_url`, else to the SQLite file of the folder."""
        url = settings.database_url or f"sqlite:///{settings.sqlite_file}"
        if not url.startswith("sqlite"):
            return cls(
                None,
                create_async_engine(
                    url, pool_size=10, max_overflow=10, hide_parameters=True
                ),
            )
        file = url.split("///", 1)[1]
        return cls(Writer(writing_engine(file)), _reading_engine(file))

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

        if self._writer is not None:
            answer, signals = await self._writer.submit(run)
        else:
            answer, signals = await self._write_to_server(run)
        self._signals.fire(signals)
        return answer

    async def read(
        self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)` on one consistent snapshot. It must not write."""
        async with self._engine.connect() as connection:
            if self._writer is None:
                await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            return await connection.run_sync(lambda c: fn(Tx(c), *args, **kwargs))

    def watch(self, topics: Collection[str]) -> Watch:
        """Start to notice signals on `topics`; use it with `with`, before reading."""
        return self._signals.watch(topics)

    async def wait(self, topics: Collection[str], timeout: float) -> bool:  # noqa: ASYNC109 -- a wait without an end would miss other processes' changes
        """Wait at most `timeout` seconds for a signal; True when one came."""
        with self.watch(topics) as watch:
            return await watch.wait(timeout)

    async def close(self) -> None:
        """Finish what was submitted, then let go of every connection."""
        await self._engine.dispose()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.stop)

    async def _write_to_server(
        self, run: Callable[[Connection], tuple[T, list[str]]]
    ) -> tuple[T, list[str]]:
        for attempt in range(_TRIES):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(run)
            except DBAPIError as error:
                if not _may_repeat(error) or attempt == _TRIES - 1:
                    raise
            await asyncio.sleep(0.02 * 2**attempt)
        raise AssertionError


def writing_engine(file: str) -> Engine:
    """A SQLite engine for the one writing connection (also for migrations).

    Parameters stay out of errors, and so out of the log: names and secrets are there.
    """
    engine = create_engine(
        f"sqlite:///{file}", poolclass=NullPool, hide_parameters=True
    )
    _begin_with(engine, "BEGIN IMMEDIATE")
    # FULL, not NORMAL: in WAL mode NORMAL loses acknowledged commits at a power cut.
    _set_pragmas(
        engine,
        "busy_timeout=5000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",
        "trusted_schema=OFF",
    )
    return engine


def _reading_engine(file: str) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        # No overflow: a connection that is opened for one read costs three reads.
        pool_size=4,
        max_overflow=0,
        hide_parameters=True,
    )
    _begin_with(engine.sync_engine, "BEGIN")
    # Readers never checkpoint: SQLite before 3.51.3 can corrupt a WAL that two
    # connections checkpoint at once (sqlite.org/wal.html, section 11.1).
    _set_pragmas(
        engine.sync_engine, "busy_timeout=5000", "query_only=ON", "wal_autocheckpoint=0"
    )
    return engine


def _begin_with(engine: Engine, statement: str) -> None:
    # The driver would not send BEGIN before a SELECT; a read-then-write transaction
    # would then lose updates without an error. So it is told to stay out of it.
    @event.listens_for(engine, "connect")
    def _no_driver_transactions(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _set_pragmas(engine: Engine, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _may_repeat(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    return getattr(error.orig, "sqlstate", None) in _AGAIN
