"""PostgreSQL: a pool of connections, and another try where it asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")

# Serialisation failure, deadlock: PostgreSQL asks us to run the transaction again.
_AGAIN = {"40001", "40P01"}
_TRIES = 5


class PostgresServer:
    """The database of `core.database` on a server; `url` is SQLAlchemy's."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(
            url, pool_size=10, max_overflow=10, hide_parameters=True
        )
        self.dialect: str = self._engine.dialect.name

    async def write(self, run: Callable[[Connection], T]) -> T:
        """Run `run(connection)` in a transaction; returns after the commit."""
        for attempt in range(_TRIES):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(run)
            except DBAPIError as error:
                if not _may_repeat(error) or attempt == _TRIES - 1:
                    raise
            await asyncio.sleep(0.02 * 2**attempt)
        raise AssertionError

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run `run(connection)` on one snapshot."""
        async with self._engine.connect() as connection:
            await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            return await connection.run_sync(run)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._engine.dispose()


def _may_repeat(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    return getattr(error.orig, "sqlstate", None) in _AGAIN
