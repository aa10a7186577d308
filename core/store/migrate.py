"""Bringing a database up to date, from empty or from any earlier revision."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.config import Settings
from core.errors import SettingsError
from core.sqlite import writing_engine

_HERE = Path(__file__).parent / "migrations"


def migrate(settings: Settings) -> str:
    """Bring the configured database up to date; its revision.

    Blocks; call it in a thread where a loop runs. Raises `SettingsError` for a database
    that a newer version of this program has changed.
    """
    url = settings.database_url or f"sqlite:///{settings.sqlite_file}"
    if url.startswith("sqlite"):
        _migrate_file(url.split("///", 1)[1])
    else:
        asyncio.run(_migrate_server(url))
    return newest_revision()


def newest_revision() -> str:
    """The revision that this program's code expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current_revision(connection: Connection) -> str | None:
    """The revision of an open database; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _migrate_file(file: str) -> None:
    engine = writing_engine(file)
    with engine.connect() as connection:
        # A rebuilt table would otherwise take its children's rows with it, silently.
        # By the driver itself: SQLite takes this before a transaction only, and
        # SQLAlchemy begins one with the first statement.
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        _upgrade(connection)
        connection.commit()
    engine.dispose()


async def _migrate_server(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        # Two processes that start together must not both build the tables.
        await connection.execute(text("SELECT pg_advisory_xact_lock(7263)"))
        await connection.run_sync(_upgrade)
    await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingsError(
            [f"the database was changed by a newer version of this program: {error}"]
        ) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config
