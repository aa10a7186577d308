"""A backup goes back whole or not at all, and what was there is kept."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from core.actions.cards import load_card
from core.config import load_settings
from core.database import Database
from core.errors import SettingsError
from core.store.migrate import newest_revision
from core.store.tables import metadata
from jobs.backup import back_up
from jobs.backup_files import list_backups, manifest_path
from jobs.dump import NotEmpty
from jobs.in_use import InUse, database_file, in_use
from jobs.restore import Refused, restore
from jobs.upgrade import prepare, present_revision, upgrade
from tests.jobs.stamping import a_stamp


@pytest.fixture
def database_kind(request):
    return getattr(request, "param", "sqlite")


BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)


async def backup_of(shop, settings, clock):
    """A backup with one stamp in it, and that stamp's card."""
    card_id = await a_stamp(shop, 1, clock.now())
    await back_up(settings, clock.now())
    await shop.db.close()
    (made,) = list_backups(settings.backups)
    return made.path, card_id


async def balance_in(settings, shop, card_id, now):
    db = await Database.open(settings)
    try:
        view = await db.read(load_card, shop.merchant.id, card_id, now)
        return view.card.balance
    finally:
        await db.close()


@BOTH
async def test_a_backup_of_either_database_goes_back_to_sqlite(
    shop, settings, clock, tmp_path
):
    file, card_id = await backup_of(shop, settings, clock)
    new = load_settings(
        data_dir=tmp_path / "new", secret_key=settings.secret_key.get_secret_value()
    )

    done = await asyncio.to_thread(restore, new, file, clock.now())

    assert done["kept"] is None
    assert done["checksum"] == "verified"
    assert done["secrets_open"] is True
    assert await balance_in(new, shop, card_id, clock.now()) == 1


@BOTH
async def test_a_backup_of_either_database_goes_to_an_empty_postgresql(
    shop, settings, clock, tmp_path, postgres
):
    file, card_id = await backup_of(shop, settings, clock)
    url = postgres.fresh(empty=True)
    new = load_settings(
        data_dir=tmp_path / "new",
        database_url=url,
        secret_key=settings.secret_key.get_secret_value(),
    )
    done = await asyncio.to_thread(restore, new, file, clock.now())

    assert done["to"] == "postgresql"
    assert await balance_in(new, shop, card_id, clock.now()) == 1
    # A second time it is full, and stays as it is.
    with pytest.raises(NotEmpty, match="merchant"):
        await asyncio.to_thread(restore, new, file, clock.now())
    assert await balance_in(new, shop, card_id, clock.now()) == 1
    # What went there makes the same backup again.
    made = await back_up(new, clock.now())
    proven = {k: v for k, v in done["counts"].items() if k in metadata.tables}
    assert {k: v for k, v in made["counts"].items() if k in proven} == proven
    postgres.drop(url)


async def test_the_present_database_is_kept_beside(shop, settings, clock):
    file, card_id = await backup_of(shop, settings, clock)
    db = await Database.open(settings)
    later = await a_stamp(
        shop=type(shop)(
            db=db,
            merchant=shop.merchant,
            program=shop.program,
            shop=shop.shop,
            owner=shop.owner,
        ),
        number=2,
        now=clock.now(),
    )
    await db.close()

    done = await asyncio.to_thread(restore, settings, file, clock.now())

    with pytest.raises(Exception, match="no such card"):
        await balance_in(settings, shop, later, clock.now())
    assert await balance_in(settings, shop, card_id, clock.now()) == 1
    kept = settings.model_copy(update={"database_url": f"sqlite:///{done['kept']}"})
    assert await balance_in(kept, shop, later, clock.now()) == 1


async def test_it_is_refused_while_a_service_runs(shop, settings, clock):
    file, _ = await backup_of(shop, settings, clock)
    before = settings.sqlite_file.read_bytes()

    with (
        in_use(database_file(settings)),
        pytest.raises(InUse, match="a service is running"),
    ):
        await asyncio.to_thread(restore, settings, file, clock.now())
    assert settings.sqlite_file.read_bytes() == before


async def test_it_is_refused_while_a_command_has_the_database_open(
    shop, settings, clock
):
    file, _ = await backup_of(shop, settings, clock)
    with closing(sqlite3.connect(settings.sqlite_file)) as other:
        other.execute("SELECT COUNT(*) FROM card").fetchall()
        with pytest.raises(InUse, match="open"):
            await asyncio.to_thread(restore, settings, file, clock.now())


async def test_every_damaged_backup_is_refused_and_changes_nothing(
    shop, settings, clock
):
    file, _ = await backup_of(shop, settings, clock)
    whole, before = file.read_bytes(), settings.sqlite_file.read_bytes()
    step = max(len(whole) // 40, 1)
    damaged = [
        whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
        for place in range(0, len(whole), step)
    ] + [whole[:-1], whole[: len(whole) // 2], b"", whole + b"\0" * 7]
    for content in damaged:
        file.write_bytes(content)
        with pytest.raises(Refused):
            await asyncio.to_thread(restore, settings, file, clock.now())
    assert settings.sqlite_file.read_bytes() == before
    assert not list(settings.data_dir.glob("*before-restore*"))


async def test_a_lone_file_is_judged_by_its_own_content(shop, settings, clock):
    file, card_id = await backup_of(shop, settings, clock)
    manifest_path(file).unlink()

    assert (await asyncio.to_thread(restore, settings, file, clock.now()))[
        "checksum"
    ] == "no manifest"
    assert await balance_in(settings, shop, card_id, clock.now()) == 1

    content = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(content[: len(content) // 2]))
    with pytest.raises(Refused, match="damaged"):
        await asyncio.to_thread(restore, settings, file, clock.now())


async def test_another_master_key_is_noticed(shop, settings, clock, tmp_path):
    file, _ = await backup_of(shop, settings, clock)
    other = load_settings(data_dir=tmp_path / "new", secret_key="another key" * 4)

    assert (await asyncio.to_thread(restore, other, file, clock.now()))[
        "secrets_open"
    ] is False


async def test_a_missing_file_is_refused(settings, clock, tmp_path):
    with pytest.raises(Refused, match="no file"):
        await asyncio.to_thread(restore, settings, tmp_path / "none.db.gz", clock.now())


async def test_a_database_that_cannot_be_read_is_still_replaced_and_kept(
    shop, settings, clock
):
    file, card_id = await backup_of(shop, settings, clock)
    settings.sqlite_file.write_bytes(b"\0" * 5000)

    done = await asyncio.to_thread(restore, settings, file, clock.now())

    assert await balance_in(settings, shop, card_id, clock.now()) == 1
    with open(done["kept"], "rb") as kept:  # noqa: ASYNC230, PTH123 -- a path in a result
        assert kept.read() == b"\0" * 5000


@BOTH
def test_a_database_of_a_newer_version_is_refused(settings, clock, db_revision):
    db_revision("9999")

    with pytest.raises(SettingsError):
        prepare(settings, clock.now())
    if database_file(settings) is not None:
        with pytest.raises(SettingsError, match="newer version"):
            upgrade(settings, clock.now())
        assert list_backups(settings.backups) == []
    assert present_revision(settings) == "9999"


def test_an_empty_folder_is_brought_up_to_date(tmp_path, clock):
    settings = load_settings(data_dir=tmp_path / "fresh")

    assert present_revision(settings) is None
    assert prepare(settings, clock.now()) == newest_revision()
    assert present_revision(settings) == newest_revision()


def test_an_empty_postgresql_is_brought_up_to_date(tmp_path, clock, postgres):
    url = postgres.fresh(empty=True)
    settings = load_settings(data_dir=tmp_path / "fresh", database_url=url)

    assert prepare(settings, clock.now()) == newest_revision()
    postgres.drop(url)


@pytest.fixture
def db_revision(settings):
    """Says that another version of the program has been at the database."""

    def change(revision: str) -> None:
        async def run() -> None:
            url = settings.database_url or f"sqlite+aiosqlite:///{settings.sqlite_file}"
            engine = create_async_engine(url)
            async with engine.begin() as connection:
                await connection.execute(
                    text("UPDATE alembic_version SET version_num = :it"),
                    {"it": revision},
                )
            await engine.dispose()

        asyncio.run(run())

    return change
