"""What is announced arrives, whatever the platform does in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.errors import DeliveryError
from core.rules.types import MerchantId
from core.store.outbox import announce
from core.store.tables import outbox
from jobs.pump import AT_ONCE, BACK_OFF, HALTED, SHARE, Pump, wait_after

M = MerchantId("m")


class Platform:
    """Takes deliveries; fails as told, once for each entry of `failures`."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.failures: list[Exception] = []
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0
        self.entered: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, delivery, now):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.entered.put_nowait(delivery.topic)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        self.topics.append(delivery.topic)
        self.changed.set()
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def pump(db, clock, platform):
    return Pump(db, {"pass": platform}, clock)


async def row(db, topic="pass:1"):
    return await db.read(
        lambda tx: tx.execute(select(outbox).where(outbox.c.topic == topic)).one()
    )


async def test_ten_changes_are_one_delivery(db, clock, pump, platform):
    for _ in range(10):
        await db.write(announce, M, "pass:1", clock.now())

    assert await pump.drain() == 1
    assert platform.topics == ["pass:1"]
    assert await pump.drain() == 0


async def test_a_change_during_a_delivery_is_delivered_after_it(
    db, clock, pump, platform
):
    platform.gate.clear()
    await db.write(announce, M, "pass:1", clock.now())
    draining = asyncio.create_task(pump.drain())
    async with asyncio.timeout(5):
        await platform.entered.get()
    await db.write(announce, M, "pass:1", clock.now())
    platform.gate.set()

    assert await draining == 2
    found = await row(db)
    assert found.done == found.wanted


async def test_many_go_at_once_but_never_more_than_the_limit(db, clock, pump, platform):
    for n in range(AT_ONCE * 2):
        await db.write(announce, MerchantId(f"m{n % 2}"), f"pass:{n}", clock.now())
    platform.gate.clear()
    draining = asyncio.create_task(pump.drain())
    async with asyncio.timeout(5):
        for _ in range(AT_ONCE):
            await platform.entered.get()
    platform.gate.set()

    assert await draining == AT_ONCE * 2
    assert platform.most_at_once == AT_ONCE


async def test_a_merchant_with_very_many_leaves_room_for_the_others(
    db, clock, pump, platform
):
    for n in range(AT_ONCE * 3):
        await db.write(announce, MerchantId("big"), f"pass:{n}", clock.now())
    await db.write(announce, MerchantId("small"), "pass:small", clock.move(seconds=1))
    platform.gate.clear()
    draining = asyncio.create_task(pump.drain())
    async with asyncio.timeout(5):
        first = [await platform.entered.get() for _ in range(SHARE + 1)]
    platform.gate.set()

    assert "pass:small" in first
    assert await draining == AT_ONCE * 3 + 1
    assert platform.most_at_once == SHARE + 1


async def test_a_failure_is_tried_again_a_second_later(db, clock, pump, platform):
    platform.failures = [DeliveryError("down")]
    await db.write(announce, M, "pass:1", clock.now())
    await pump.drain()
    assert await pump.drain() == 0

    clock.move(seconds=1.3)
    assert await pump.drain() == 1
    found = await row(db)
    assert (found.done, found.attempts, found.error) == (found.wanted, 0, "")


async def test_a_permanent_failure_is_given_up_until_the_next_change(
    db, clock, pump, platform
):
    platform.failures = [DeliveryError("no such object", permanent=True)]
    await db.write(announce, M, "pass:1", clock.now())
    await pump.drain()
    clock.move(days=3)
    assert await pump.drain() == 0
    found = await row(db)
    assert (found.dead, found.error) == (True, "no such object")

    await db.write(announce, M, "pass:1", clock.now())
    assert await pump.drain() == 1


async def test_a_crash_of_a_handler_costs_only_its_own_delivery(
    db, clock, pump, platform
):
    platform.failures = [ZeroDivisionError()]
    await db.write(announce, M, "pass:1", clock.now())
    await db.write(announce, M, "pass:2", clock.now())

    assert await pump.drain() == 2
    clock.move(seconds=1.3)
    assert await pump.drain() == 1
    assert not (await row(db)).dead


async def test_an_unknown_topic_waits_for_a_process_that_knows_it(db, clock, pump):
    await db.write(announce, M, "mail:1", clock.now())

    assert await pump.drain() == 1
    found = await row(db, "mail:1")
    assert (found.dead, found.attempts) == (False, 1)


async def test_a_halted_connection_is_asked_again_in_a_quarter_hour(
    db, clock, pump, platform
):
    platform.failures = [DeliveryError("bad certificate", permanent=True, halts=True)]
    await db.write(announce, M, "pass:1", clock.now())
    await pump.drain()

    clock.move(minutes=14)
    assert await pump.drain() == 0
    clock.move(minutes=1)
    assert await pump.drain() == 1


async def test_run_is_woken_by_an_announcement_and_stops_cleanly(
    db, clock, pump, platform
):
    running = asyncio.create_task(pump.run())
    async with asyncio.timeout(5):
        await db.write(announce, M, "pass:1", clock.now())
        await platform.changed.wait()
        pump.stop()
        await running

    found = await row(db)
    assert found.done == found.wanted


async def test_stop_lets_what_is_under_way_end(db, clock, pump, platform):
    platform.gate.clear()
    await db.write(announce, M, "pass:1", clock.now())
    running = asyncio.create_task(pump.run())
    async with asyncio.timeout(5):
        await platform.entered.get()
        pump.stop()
        platform.gate.set()
        await running

    found = await row(db)
    assert found.done == found.wanted


def test_waits_grow_from_a_second_to_a_day_and_then_end():
    waits = [wait_after(n, DeliveryError("down")) for n in range(len(BACK_OFF))]

    for wait, step in zip(waits, BACK_OFF, strict=True):
        assert wait is not None
        assert step <= wait <= step * 1.2
    assert BACK_OFF[0] == timedelta(seconds=1)
    assert BACK_OFF[-1] == timedelta(hours=24)
    assert wait_after(len(BACK_OFF), DeliveryError("down")) is None


def test_what_the_platform_asks_for_is_honoured():
    wait = wait_after(0, DeliveryError("slow down", retry_after=90))
    assert wait is not None
    assert timedelta(seconds=90) <= wait <= timedelta(seconds=108)
    assert wait_after(40, DeliveryError("wrong key", halts=True)) == HALTED
