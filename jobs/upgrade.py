"""Brings the configured database up to date, with a way back."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.config import Settings
from core.errors import SettingsError
from core.store.migrate import current_revision, migrate, newest_revision
from jobs.backup import back_up
from jobs.in_use import database_file
from jobs.sqlite_copy import copy_sqlite


def prepare(settings: Settings, now: datetime) -> str:
    """What `serve` does first: an empty database, or a SQLite file, is made current.

    Blocks. Raises `SettingsError` for a server that needs `stampcard migrate`, and for
    a database that a newer version has changed.
    """
    present, newest = present_revision(settings), newest_revision()
    if present == newest:
        return newest
    if present is not None and database_file(settings) is None:
        # Other processes may still be running the version that fits the old tables.
        raise SettingsError(
            [f"the database is at {present}, not {newest}: run `stampcard migrate`"]
        )
    return upgrade(settings, now)


def upgrade(settings: Settings, now: datetime) -> str:
    """Migrate to the newest revision, which is returned.

    Blocks. A SQLite file that holds something is backed up first, once a copy of it
    has shown that it can be migrated at all.
    """
    file = database_file(settings)
    present = present_revision(settings)
    if file is not None and present not in {None, newest_revision()}:
        _try_on_a_copy(settings, file)
        asyncio.run(back_up(settings, now))
    return migrate(settings)


def present_revision(settings: Settings) -> str | None:
    """The revision of the configured database; None where there is nothing yet."""
    file = database_file(settings)
    if file is None:
        return asyncio.run(_revision_of_server(settings.database_url))
    if not file.exists():
        return None
    with closing(sqlite3.connect(file, timeout=5)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version")
            found = row.fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
    return None if found is None else str(found[0])


async def _revision_of_server(url: str) -> str | None:
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(current_revision)
    finally:
        await engine.dispose()


def _try_on_a_copy(settings: Settings, file: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".trying-", dir=file.parent) as folder:
        copy = Path(folder) / "copy.db"
        copy_sqlite(file, copy)
        migrate(settings.model_copy(update={"database_url": f"sqlite:///{copy}"}))
