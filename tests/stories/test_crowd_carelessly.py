"""That a crowd can tell: without what keeps it out, the same crowd gets too much.

SQLAlchemy's defaults let the driver begin a SQLite transaction at its first write, so
that what was read before it may be out of date. On PostgreSQL they are what we use: it
is the lock on the row that is left out here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.actions import grant
from core.config import Settings
from core.database import Tx
from core.rules.asking import Redeemed
from core.store.merchants import load_merchant
from jobs.audit import wrong_cards
from tests.stories.calls import (
    Call,
    by_api,
    by_code,
    full_card,
    granted_of,
    new_card,
    redeeming,
)
from tests.stories.conftest import Crowd
from tests.stories.crowd import do_at_once


@pytest.fixture
async def careless(settings: Settings) -> AsyncIterator[Crowd]:
    """A crowd on SQLAlchemy's defaults and, on PostgreSQL, without locks."""
    url = settings.database_url or f"sqlite+aiosqlite:///{settings.sqlite_file}"
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def _without_locks(connection, cursor, statement, parameters, context, many):
        return statement.replace(" FOR UPDATE", ""), parameters

    yield lambda calls: asyncio.gather(*(_do(engine, call) for call in calls))
    await engine.dispose()


async def _do(engine: AsyncEngine, call: Call):
    async with engine.begin() as connection:
        return await connection.run_sync(lambda each: call.run(Tx(each)))


def without_key(tx, ask, now):
    """A grant that asks for the limit before it writes anything."""
    return grant._give(tx, load_merchant(tx, ask.merchant_id), ask, now)


async def test_a_limit_that_is_read_before_the_transaction_holds_lets_many_through(
    db, shop, clock, careless
):
    """Fifty grants under one a day; the first to read is the last to be right."""
    card_id = await new_card(shop, clock.now())
    calls = [
        Call(without_key, by_api(shop, card_id, f"k{n}", clock.now()).args)
        for n in range(50)
    ]

    outcomes = await careless(calls)

    assert len(granted_of(outcomes)) > 1

    clock.move(days=1)
    tomorrow = [Call(without_key, (call.args[0], clock.now())) for call in calls]
    assert len(granted_of(await do_at_once(db, tomorrow))) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_on_sqlite_a_grant_is_safe_twice_since_it_begins_with_its_key(
    shop, clock, careless
):
    """The key is written first, and whoever writes has the file for themselves."""
    card_id = await new_card(shop, clock.now())

    outcomes = await careless(
        [by_api(shop, card_id, f"k{n}", clock.now()) for n in range(50)]
    )

    assert len(granted_of(outcomes)) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_on_postgresql_no_key_helps_without_the_locks(db, shop, clock, careless):
    card_id = await new_card(shop, clock.now())
    stamps = await careless(
        [by_api(shop, card_id, f"k{n}", clock.now()) for n in range(50)]
    )
    assert len(granted_of(stamps)) > 1
    assert await db.read(wrong_cards) == [card_id]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_without_locks_a_code_and_a_voucher_are_used_by_many(
    free_shop, clock, careless
):
    shop = free_shop
    granted = await full_card(shop, clock.now())
    code = (await shop.till_code(clock.now())).code

    claims = await careless(
        [by_code(shop, code, who, f"c{who}", clock.now()) for who in range(2, 102)]
    )
    uses = await careless(
        [redeeming(shop, granted.vouchers[0], f"r{n}", clock.now()) for n in range(100)]
    )

    assert len(granted_of(claims)) > 1
    assert sum(isinstance(o, Redeemed) for o in uses) > 1
