"""A redesign of very many passes stands back for stamps, and for small redesigns."""

from __future__ import annotations

import asyncio

import pytest

from core.actions.passes import (
    count_behind,
    hold_pass,
    load_pass,
    register_device,
)
from core.errors import DeliveryError
from core.rules.types import MerchantId
from core.store.outbox import (
    AT_LEISURE,
    announce,
    look_at_leisure,
    take_at_leisure,
)
from core.store.passes import Behind
from jobs.pump import LEISURE_AT_ONCE, Pump
from tests.jobs.test_pump import M, Platform
from tests.passes.fanout import a_redesign, holders

BIG, SMALL = MerchantId("big"), MerchantId("small")


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def pump(db, clock, platform):
    return Pump(db, {"pass": platform}, clock)


async def many(db, clock, merchant, count):
    for n in range(count):
        topic = f"pass:{merchant}-{n}"
        await db.write(announce, merchant, topic, clock.now(), AT_LEISURE)


async def test_while_a_redesign_runs_a_stamp_goes_at_once(db, clock, pump, platform):
    await many(db, clock, M, 40)
    platform.gate.clear()
    running = asyncio.create_task(pump.run())
    async with asyncio.timeout(10):
        for _ in range(LEISURE_AT_ONCE):
            await platform.entered.get()
        # Another pass, and one of those that wait for the new look.
        for name in ("pass:stamped", "pass:m-39"):
            await db.write(announce, M, name, clock.move(seconds=1))
        stamped = {await platform.entered.get() for _ in range(2)}
        platform.gate.set()
        while len(platform.topics) < 41:
            platform.changed.clear()
            await platform.changed.wait()
    pump.stop()
    await running

    assert stamped == {"pass:stamped", "pass:m-39"}
    assert platform.most_at_once == LEISURE_AT_ONCE + 2


async def test_a_small_redesign_need_not_wait_for_the_end_of_a_big_one(
    db, clock, pump, platform
):
    await many(db, clock, BIG, 60)
    clock.move(seconds=1)
    await many(db, clock, SMALL, 3)

    assert await pump.drain() == 63
    last = max(platform.topics.index(f"pass:{SMALL}-{n}") for n in range(3))
    assert last < 30
    assert platform.most_at_once <= LEISURE_AT_ONCE


async def test_whoever_comes_often_sees_the_new_look_first(
    db, vault, clock, pump, platform
):
    shop, passes = await holders(db, vault, clock)
    await Pump(db, {"pass": Platform()}, clock).drain()
    await a_redesign(db, shop, clock)

    assert await db.read(count_behind, shop.merchant.id, shop.program.id) == Behind(
        3, 3, 0
    )
    pump = Pump(db, {"pass": platform, "class": platform}, clock)
    await pump.drain()

    told = [topic for topic in platform.topics if topic.startswith("pass:")]
    assert told == [f"pass:{passes[who]}" for who in ("regular", "rare", "gone")]
    assert await db.read(count_behind, shop.merchant.id, shop.program.id) == Behind(
        3, 0, 0
    )


async def test_a_redesign_that_meets_a_failure_says_so_and_goes_on(
    db, vault, clock, platform
):
    shop, _ = await holders(db, vault, clock)
    await Pump(db, {"pass": Platform()}, clock).drain()
    await a_redesign(db, shop, clock)
    platform.failures = [DeliveryError("503") for _ in range(4)]
    pump = Pump(db, {"pass": platform, "class": platform}, clock)
    await pump.drain()
    ids = shop.merchant.id, shop.program.id
    assert await db.read(count_behind, *ids) == Behind(3, 3, 3)

    clock.move(seconds=2)
    await pump.drain()
    assert await db.read(count_behind, *ids) == Behind(3, 0, 0)


async def test_a_place_that_came_into_a_hurry_is_not_taken_from_the_slow_lane(
    db, clock
):
    await many(db, clock, M, 2)
    places = await db.read(look_at_leisure, 10, clock.now())
    await db.write(announce, M, "pass:m-0", clock.now())

    taken = await db.write(take_at_leisure, places, 60, clock.now())
    assert [delivery.topic for delivery in taken] == ["pass:m-1"]
    assert await db.write(take_at_leisure, places, 60, clock.now()) == []


async def test_who_stands_in_the_slow_lane_is_looked_up_by_turns(db, clock):
    await many(db, clock, BIG, 5)
    clock.move(seconds=1)
    await many(db, clock, SMALL, 2)

    places = await db.read(look_at_leisure, 6, clock.now())
    whose = [merchant for merchant, _ in places]
    assert sorted(whose[:4]) == [BIG, BIG, SMALL, SMALL]
    assert whose[4:] == [BIG, BIG]
    assert all(
        m != BIG for m, _ in await db.read(look_at_leisure, 6, clock.now(), [BIG])
    )


async def test_apple_s_passes_do_not_wait_for_google_s_pace(db, vault, clock, platform):
    shop, google = await holders(db, vault, clock)
    held = await db.read(load_pass, google["rare"], clock.now())
    ids = shop.merchant.id, held.held.card_id
    apple = await db.write(hold_pass, *ids, "apple", clock.now())
    await db.write(register_device, apple.id, "phone", "a0", clock.now())
    await Pump(db, {"pass": Platform()}, clock).drain()
    await a_redesign(db, shop, clock)
    await Pump(db, {"pass": platform, "class": platform}, clock).drain()

    told = [topic for topic in platform.topics if topic.startswith("pass:")]
    order = (apple.id, google["regular"], google["rare"], google["gone"])
    assert told == [f"pass:{each}" for each in order]
