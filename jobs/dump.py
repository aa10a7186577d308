"""PostgreSQL into a SQLite file and back, table by table.

A backup is the same kind of file from either database, so it can go back to either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Insert,
    Table,
    bindparam,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.config import Settings
from core.errors import StampcardError
from core.store.migrate import current_revision, migrate, newest_revision
from core.store.tables import metadata
from jobs.sqlite_copy import leave_one_file

# Parents before children.
TABLES = metadata.sorted_tables
_BATCH = 500


class NotEmpty(StampcardError):
    """The database to load into holds something already."""


class WrongRevision(StampcardError):
    """The database is not at the revision of this program."""


def dump_server(settings: Settings, target: Path) -> None:
    """Write all of a PostgreSQL database, as of one instant, into a SQLite file.

    Blocks. Raises `WrongRevision`.
    """
    migrate(settings.model_copy(update={"database_url": f"sqlite:///{target}"}))
    asyncio.run(_with_server(settings.database_url, _dump, target))
    leave_one_file(target)


def load_server(settings: Settings, source: Path) -> None:
    """Fill an empty, migrated PostgreSQL database from a SQLite file, all or nothing.

    Blocks. The file must have been migrated too. Raises `NotEmpty`.
    """
    asyncio.run(_with_server(settings.database_url, _load, source))


async def _with_server(url: str, work: Any, file: Path) -> None:
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(work, file)
    finally:
        await engine.dispose()


def _dump(server: Connection, file: Path) -> None:
    # One snapshot for all tables: else a card and its entries may be a stamp apart.
    server.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    revision = current_revision(server)
    if revision != newest_revision():
        raise WrongRevision(f"the database is at {revision}: run `stampcard migrate`")
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.begin() as target:
        for table in TABLES:
            for batch in _batches(server, table):
                target.execute(_insert(table), batch)
    engine.dispose()


def _load(server: Connection, file: Path) -> None:
    full = [t.name for t in TABLES if _count(server, t)]
    if full:
        raise NotEmpty(f"the database is not empty: {', '.join(full)}")
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as source:
        for table in TABLES:
            for batch in _batches(source, table):
                server.execute(_insert(table), batch)
            if _count(server, table) != _count(source, table):
                raise NotEmpty(f"{table.name} did not arrive whole")
    engine.dispose()


def _batches(connection: Connection, table: Table) -> Iterable[list[dict[str, Any]]]:
    rows = connection.execute(select(table).execution_options(yield_per=_BATCH))
    for batch in rows.partitions(_BATCH):
        yield [dict(row._mapping) for row in batch]


def _insert(table: Table) -> Insert:
    return table.insert().values(
        {column.name: bindparam(column.name, type_=_type(column)) for column in table.c}
    )


def _type(column: Column[Any]) -> Any:
    # None is NULL here; a JSON column would write the JSON text "null".
    return JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
