"""S3: durable stamps, 64 waiting, beside the async engine with a commit each."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.config import Settings, load_settings
from core.database import Database, Tx
from core.rules.asking import StampAsk
from core.rules.types import CardId, Limit, MerchantId
from core.store.migrate import migrate
from core.vault import Vault
from tests.builders import build_shop, coffee

STAMPS, CARDS, WAITING = 600, 60, 64
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

Give = Callable[[StampAsk], Awaitable[object]]


async def measure() -> tuple[float, float]:
    """Stamps a second of ours and of the yardstick, on two files of one disk."""
    with tempfile.TemporaryDirectory() as folder:
        ours = await _ours(load_settings(data_dir=Path(folder) / "ours"))
        theirs = await _yardstick(load_settings(data_dir=Path(folder) / "theirs"))
    return ours, theirs


async def _ours(settings: Settings) -> float:
    merchant_id, cards = await _prepare(settings)
    db = await Database.open(settings)
    rate = await _rate(lambda ask: db.write(grant_stamps, ask, NOW), merchant_id, cards)
    await db.close()
    return rate


async def _yardstick(settings: Settings) -> float:
    merchant_id, cards = await _prepare(settings)
    engine = _engine(settings)
    lock = asyncio.Lock()

    async def give(ask: StampAsk) -> object:
        async with lock, engine.begin() as connection:
            return await connection.run_sync(lambda c: grant_stamps(Tx(c), ask, NOW))

    rate = await _rate(give, merchant_id, cards)
    await engine.dispose()
    return rate


async def _prepare(settings: Settings) -> tuple[MerchantId, list[CardId]]:
    await asyncio.to_thread(migrate, settings)
    db = await Database.open(settings)
    vault = Vault(settings.secret_key.get_secret_value())
    shop = await build_shop(db, vault, NOW, design=coffee(limit=Limit()))
    cards = [
        await db.write(
            open_card,
            merchant_id=shop.merchant.id,
            program_key="coffee",
            key=f"card {n}",
            now=NOW,
        )
        for n in range(CARDS)
    ]
    await db.close()
    return shop.merchant.id, cards


async def _rate(give: Give, merchant_id: MerchantId, cards: list[CardId]) -> float:
    waiting = asyncio.Semaphore(WAITING)

    async def one(n: int) -> None:
        ask = StampAsk(
            merchant_id=merchant_id,
            key=f"stamp {n}",
            how="api",
            card_id=cards[n % CARDS],
        )
        async with waiting:
            await give(ask)

    before = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(STAMPS)))
    return STAMPS / (time.perf_counter() - before)


def _engine(settings: Settings) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{settings.sqlite_file}")

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    return engine
