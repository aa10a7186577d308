"""What a card says is what its ledger adds up to, in every version's tables."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from alembic import command
from sqlalchemy import text

from core.actions.adjust import adjust_card
from core.actions.grant import grant_stamps
from core.actions.undo import undo_grant
from core.config import load_settings
from core.rules.asking import StampAsk
from core.rules.types import Limit, Spend
from core.sqlite import writing_engine
from core.store.migrate import _config, newest_revision
from jobs.audit import wrong_cards
from jobs.backup_files import list_backups
from jobs.backup_proof import BadCopy, prove
from jobs.upgrade import present_revision, upgrade
from tests.builders import build_shop, coffee
from tests.jobs.stamping import a_card


@pytest.fixture
async def spender(db, vault, clock):
    """A shop with a stamp for each 500 yen, ten to a card."""
    design = coffee(limit=Limit(), spend=Spend(per=500))
    return await build_shop(db, vault, clock.now(), design=design)


async def pay(shop, card_id, amount, key, now):
    """A purchase at the till: what came of it."""
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=key,
        how="api",
        card_id=card_id,
        amount=amount,
    )
    return await shop.db.write(grant_stamps, ask, now)


async def a_long_story(shop, clock):
    """A card that was paid for, undone, corrected, filled and begun again."""
    card_id = await a_card(shop, 1, clock.now())
    how = {"merchant_id": shop.merchant.id, "by": None, "reason": "間違い"}
    await pay(shop, card_id, 1234, "a", clock.now())
    wrong = await pay(shop, card_id, 777, "b", clock.now())
    await shop.db.write(
        undo_grant, **how, entry_id=wrong.entry_id, key="c", now=clock.now()
    )
    await pay(shop, card_id, 5432, "d", clock.now())
    for key, stamps in (("e", 4), ("f", -2)):
        await shop.db.write(
            adjust_card,
            **how,
            card_id=card_id,
            stamps=stamps,
            key=key,
            now=clock.now(),
        )
    await pay(shop, card_id, 321, "g", clock.now())
    return card_id


async def test_a_long_story_adds_up(db, spender, clock):
    await a_long_story(spender, clock)

    assert await db.read(wrong_cards) == []


@pytest.mark.parametrize("column", ["balance", "total", "remainder", "n_entries"])
async def test_a_card_that_says_one_more_than_its_ledger_is_named(
    db, spender, clock, column
):
    card_id = await a_long_story(spender, clock)
    await a_card(spender, 2, clock.now())
    more = text(f"UPDATE card SET {column} = {column} + 1 WHERE id = :id")

    await db.write(lambda tx: tx.execute(more, {"id": card_id}))

    assert await db.read(wrong_cards) == [card_id]


async def test_a_card_that_is_wrong_in_every_way_is_named_once(db, spender, clock):
    card_id = await a_long_story(spender, clock)
    wrong = text("UPDATE card SET total = 0, remainder = -1 WHERE id = :id")

    await db.write(lambda tx: tx.execute(wrong, {"id": card_id}))

    assert await db.read(wrong_cards) == [card_id]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_copy_with_a_wrong_remainder_is_no_backup(
    db, spender, clock, settings, tmp_path
):
    card_id = await a_long_story(spender, clock)
    wrong = text("UPDATE card SET remainder = remainder + 1 WHERE id = :id")
    await db.write(lambda tx: tx.execute(wrong, {"id": card_id}))
    await db.close()
    copy = tmp_path / "copy.db"
    shutil.copy(settings.sqlite_file, copy)

    with pytest.raises(BadCopy, match=card_id):
        prove(copy)


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_file_of_an_earlier_version_is_proved_backed_up_and_upgraded(
    tmp_path, clock, revision
):
    settings = load_settings(data_dir=tmp_path)
    file = settings.sqlite_file
    made_by(file, revision)
    with closing(sqlite3.connect(file)) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('card')")
        assert ("remainder",) not in columns.fetchall()

    assert prove(file).revision == revision
    assert upgrade(settings, clock.now()) == newest_revision()

    assert present_revision(settings) == newest_revision()
    assert len(list_backups(settings.backups)) == 1


def made_by(file, revision):
    """A SQLite file as an earlier version of this service made it."""
    engine = writing_engine(str(file))
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()
