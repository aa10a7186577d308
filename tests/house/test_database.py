"""Writes stand alone, are durable when answered, and group without mixing."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core.actions.grant import grant_stamps
from core.database import Database
from core.store.journal import note
from core.store.migrate import migrate
from core.store.tables import journal, metadata
from tests.actions.test_grant import ask


async def test_one_failing_write_of_a_group_takes_no_other_with_it(db, clock):
    def write(tx, n):
        note(tx, None, "test", "act", str(n), clock.now())
        if n % 3 == 0:
            raise ValueError(n)
        return n

    outcomes = await asyncio.gather(
        *(db.write(write, n) for n in range(60)), return_exceptions=True
    )

    good = {n for n in range(60) if n % 3}
    assert good == {o for o in outcomes if isinstance(o, int)}
    rows = await db.read(lambda tx: tx.execute(select(journal.c.subject)).all())
    assert good == {int(row.subject) for row in rows}


async def test_a_read_cannot_write(db, clock):
    with pytest.raises(DBAPIError):
        await db.read(note, None, "test", "act", "x", clock.now())


async def test_a_read_that_fails_or_is_given_up_spoils_no_other(db, clock):
    count = 40

    def look(tx, n):
        found = tx.execute(text("SELECT count(*) FROM journal")).scalar_one()
        if n % 4 == 0:
            raise ValueError(n)
        return n, found

    await db.write(note, None, "test", "act", "x", clock.now())
    reads = [asyncio.create_task(db.read(look, n)) for n in range(count)]
    await asyncio.sleep(0)
    for read in reads[1::4]:
        read.cancel()
    answers = await asyncio.gather(*reads, return_exceptions=True)

    for n, answer in enumerate(answers):
        if n % 4 == 0:
            assert isinstance(answer, ValueError)
        elif n % 4 > 1:
            assert answer == (n, 1)
    # What was written before a read began is in it, on every connection.
    await db.write(note, None, "test", "act", "y", clock.now())
    again = await asyncio.gather(*(db.read(look, 4 * n + 1) for n in range(count)))
    assert {found for _, found in again} == {2}


async def test_a_read_stands_on_one_snapshot(settings, db, clock):
    async def write_elsewhere():
        other = await Database.open(settings)
        await other.write(note, None, "test", "act", "x", clock.now())
        await other.close()

    def look_twice(tx):
        counted = text("SELECT count(*) FROM journal")
        first = tx.execute(counted).scalar_one()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, write_elsewhere()).result()
        return first, tx.execute(counted).scalar_one()

    assert await db.read(look_twice) == (0, 0)
    assert await db.read(look_twice) == (1, 1)


async def test_signals_wake_watchers_only_after_the_commit(db, clock):
    def write(tx):
        note(tx, None, "test", "act", "x", clock.now())
        tx.signal("topic")

    with db.watch({"topic"}) as watch:
        await db.write(write)
        # The signal came before we waited, and is remembered.
        assert await watch.wait(5)
        assert not await watch.wait(0)


async def test_the_ledger_cannot_be_edited_or_cut(db, shop, clock):
    code = await shop.till_code(clock.now())
    await db.write(grant_stamps, ask(shop, code), clock.now())

    for statement in (
        "UPDATE ledger_entry SET stamps = 9",
        "DELETE FROM ledger_entry",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            await db.write(lambda tx, sql: tx.execute(text(sql)), statement)


async def test_the_migrations_make_exactly_the_tables_of_the_code(db):
    def differences(tx):
        context = MigrationContext.configure(tx._connection)
        return compare_metadata(context, metadata)

    assert await db.read(differences) == []


async def test_migrating_twice_changes_nothing(settings):
    first = await asyncio.to_thread(migrate, settings)
    assert first == await asyncio.to_thread(migrate, settings)


async def test_what_was_answered_is_there_after_reopening(settings, db, shop, clock):
    code = await shop.till_code(clock.now())
    outcome = await db.write(grant_stamps, ask(shop, code), clock.now())
    await db.close()

    again = await Database.open(settings)
    try:
        assert outcome == await again.write(grant_stamps, ask(shop, code), clock.now())
    finally:
        await again.close()
