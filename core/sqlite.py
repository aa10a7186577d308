"""One SQLite file: a thread that writes, a few that read.

The driver is told to stay out of transactions: it would not send BEGIN before a SELECT,
and one that reads and then writes would lose updates without an error.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, StaticPool

from core.reader import Readers
from core.writer import Writer

T = TypeVar("T")


class SqliteFile:
    """The database of `core.database` on one file."""

    dialect = "sqlite"

    def __init__(self, file: str) -> None:
        self._writer = Writer(writing_engine(file))
        self._readers = Readers(file, _reading_engine)

    async def write(self, run: Callable[[Connection], T]) -> T:
        """Run `run(connection)` in the next group; returns after the commit."""
        return await self._writer.submit(run)

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run `run(connection)` on one snapshot."""
        return await self._readers.run(run)

    async def close(self) -> None:
        """Finish what was submitted, then let go of every connection."""
        await self._readers.close()
        await asyncio.to_thread(self._writer.stop)


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


def _reading_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine(
        "sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True
    )
    _begin_with(engine, "BEGIN")
    # Readers never checkpoint: SQLite before 3.51.3 can corrupt a WAL that two
    # connections checkpoint at once (sqlite.org/wal.html, section 11.1).
    _set_pragmas(engine, "busy_timeout=5000", "query_only=ON", "wal_autocheckpoint=0")
    return engine


def _begin_with(engine: Engine, statement: str) -> None:
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
