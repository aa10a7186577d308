"""Desired state: ten changes are one delivery, and none is forgotten."""

from __future__ import annotations

from datetime import timedelta

from core.rules.types import MerchantId
from core.store.outbox import (
    announce,
    deliver_done,
    deliver_failed,
    take_deliveries,
)

M = MerchantId("m")


async def take(db, clock, limit=10):
    return await db.write(take_deliveries, limit, 60, clock.now())


async def test_ten_changes_are_one_delivery(db, clock):
    for _ in range(10):
        await db.write(announce, M, "pass:1", clock.now())

    [delivery] = await take(db, clock)
    assert delivery.wanted == 10
    assert await take(db, clock) == []
    await db.write(deliver_done, delivery, clock.now())
    assert await take(db, clock) == []


async def test_a_change_while_delivering_is_delivered_again(db, clock):
    await db.write(announce, M, "pass:1", clock.now())
    [delivery] = await take(db, clock)
    await db.write(announce, M, "pass:1", clock.now())
    await db.write(deliver_done, delivery, clock.now())

    [again] = await take(db, clock)
    assert again.wanted == 2


async def test_a_dead_worker_loses_its_lease_and_nothing_else(db, clock):
    await db.write(announce, M, "pass:1", clock.now())
    await take(db, clock)

    clock.move(seconds=61)

    assert len(await take(db, clock)) == 1


async def test_a_failure_waits_and_a_new_change_keeps_it_waiting(db, clock):
    await db.write(announce, M, "pass:1", clock.now())
    [delivery] = await take(db, clock)
    due = clock.now() + timedelta(seconds=30)
    await db.write(deliver_failed, delivery, error="503", due_at=due, dead=False)
    await db.write(announce, M, "pass:1", clock.now())
    assert await take(db, clock) == []

    clock.move(seconds=30)

    [again] = await take(db, clock)
    assert (again.attempts, again.wanted) == (1, 2)


async def test_a_change_brings_a_given_up_topic_back(db, clock):
    await db.write(announce, M, "pass:1", clock.now())
    [delivery] = await take(db, clock)
    await db.write(deliver_failed, delivery, error="400", due_at=clock.now(), dead=True)
    assert await take(db, clock) == []

    await db.write(announce, M, "pass:1", clock.now())

    assert len(await take(db, clock)) == 1


async def test_stamps_go_before_redesigns(db, clock):
    await db.write(announce, M, "pass:redesign", clock.now(), 5)
    clock.move(seconds=1)
    await db.write(announce, M, "pass:stamp", clock.now())

    [first] = await take(db, clock, limit=1)
    assert first.topic == "pass:stamp"
