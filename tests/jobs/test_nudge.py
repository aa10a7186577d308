"""A phone that lost its push is told once more, hours later; one that came is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.actions.fetching import find_missed, note_fetched
from core.actions.passes import load_pass, unregister_device
from core.actions.reissue import reissue_card
from core.database import Database
from core.store.outbox import AT_LEISURE
from jobs import nudge
from jobs.parts import Parts
from jobs.schedule import find_job
from tests.jobs.apple_town import apple_town
from webhooks.fetched import FETCH_NOTES, FetchNotes


@pytest.fixture
async def town(db, settings, vault, clock, unused_tcp_port):
    async with apple_town(db, settings, vault, clock, unused_tcp_port) as found:
        yield found


@pytest.fixture
def later(town, settings, db, vault):
    async def run(**span: float) -> int:
        town.clock.move(**span)
        parts = Parts(settings=settings, db=db, vault=vault)
        found = await nudge.run(parts, town.clock.now())
        assert found["red"] == []
        return found["nudged"]

    return run


async def test_a_phone_that_lost_its_push_gets_the_state_after_the_job(town, later):
    held = await town.add()
    await town.stamp(held, arrives=False)
    assert town.shown(held) == "0/10"

    assert await later(hours=4) == 1
    assert (await town.waiting(held)).priority >= AT_LEISURE
    assert await town.deliver(held) == 1
    assert town.shown(held) == "1/10"
    # Once for one state, whatever becomes of it.
    assert await later(hours=1) == 0
    assert await town.deliver(held) == 0


async def test_a_second_push_that_is_lost_too_is_the_last(town, later):
    held = await town.add()
    await town.stamp(held, arrives=False)
    assert await later(hours=4) == 1
    assert await town.deliver(held, arrives=False) == 1

    assert await later(hours=4) == 0
    assert await town.deliver(held) == 0
    # The next change is a state of its own.
    await town.stamp(held, arrives=False)
    assert await later(hours=4) == 1


async def test_a_phone_that_fetched_the_change_is_left_in_peace(town, later):
    held = await town.add()
    await town.stamp(held)
    assert town.shown(held) == "1/10"
    assert (await town.row(held)).fetched == (await town.row(held)).changed_at

    assert await later(hours=4) == 0
    assert await town.deliver(held) == 0


async def test_whoever_has_the_state_already_says_so_by_304(town, later):
    held = await town.add()
    clock, row = town.clock, await town.row(held)
    assert row.fetched == row.changed_at  # asked for right after it registered
    await town.stamp(held, arrives=False)
    before = (await town.row(held)).fetched
    await town.phone.pull(held.id)
    await town.app[FETCH_NOTES].settle()
    row = await town.row(held)
    assert before < row.fetched == row.changed_at
    clock.move(hours=4)
    assert await later() == 0


@pytest.mark.parametrize(
    ("age", "count"),
    [
        ({"hours": 2, "minutes": 59}, 0),
        ({"hours": 3}, 1),
        ({"days": 3}, 1),
        ({"days": 3, "seconds": 1}, 0),
    ],
)
async def test_neither_too_soon_nor_for_what_is_long_past(town, later, age, count):
    held = await town.add()
    town.clock.move(minutes=1)
    await town.stamp(held, arrives=False)
    assert await later(**age) == count


async def test_a_pass_that_waits_to_be_pushed_anyway_is_left_alone(town, later):
    held = await town.add()
    town.apns.mood = lambda: "down"
    await town.stamp(held, arrives=False)
    row = await town.waiting(held)
    assert row.wanted > row.done
    assert await later(hours=4) == 0
    assert (await town.row(held)).nudged == 0


async def test_while_apple_refuses_the_certificate_nobody_is_announced(town, later):
    held, other = await town.add(), await town.add("other")
    await town.stamp(held, arrives=False)
    town.apns.mood = lambda: "forb"
    await town.stamp(other, arrives=False)
    assert await later(hours=4) == 0

    town.apns.mood = str
    await town.deliver(other, arrives=False)
    assert await later() == 2
    assert (await town.waiting(held)).priority >= AT_LEISURE


async def test_passes_that_were_replaced_or_removed_are_left_alone(town, later):
    held, gone = await town.add(), await town.add("gone")
    await town.stamp(held, arrives=False)
    await town.stamp(gone, arrives=False)
    now, phone = town.clock.now(), town.phone.device_id
    soon = now + timedelta(hours=4)
    missed = await town.db.read(find_missed, held.merchant_id, None, 10, soon)
    assert missed == sorted([held.id, gone.id])
    code = (await town.db.read(load_pass, held.id, now)).face.code
    ask = {"merchant_id": held.merchant_id, "code": code, "by": town.shop.owner}
    await town.db.write(reissue_card, **ask, key="lost", now=now)
    await town.db.write(unregister_device, gone.id, phone, now)
    await town.pump.drain()
    assert await later(hours=4) == 0


async def test_more_than_a_batch_are_all_told_once(town, later, monkeypatch):
    monkeypatch.setattr(nudge, "BATCH", 2)
    passes = [await town.add(f"card-{n}") for n in range(5)]
    for held in passes:
        await town.stamp(held, arrives=False)
    assert await later(hours=4) == 5
    assert await later() == 0


async def test_a_note_older_than_what_is_known_changes_nothing(town):
    held = await town.add()
    now = (await town.row(held)).changed_at
    await town.db.write(note_fetched, held.merchant_id, held.id, now - 5)
    assert (await town.row(held)).fetched == now


async def test_an_answer_neither_waits_for_its_note_nor_fails_by_it(town, monkeypatch):
    held = await town.add()
    gate, real = asyncio.Event(), town.db.write

    async def broken(fn, *args, **more):
        if fn is note_fetched:
            await gate.wait()
            raise OSError("disk full")
        return await real(fn, *args, **more)

    await town.stamp(held, arrives=False)
    monkeypatch.setattr(town.db, "write", broken)
    async with asyncio.timeout(20):
        await town.phone.pull(held.id)
    assert town.shown(held) == "1/10"
    gate.set()
    await town.app[FETCH_NOTES].settle()
    assert town.phone.problems == []
    monkeypatch.undo()
    # The next time it is written down.
    await town.phone.pull(held.id)
    await town.app[FETCH_NOTES].settle()
    assert (await town.row(held)).fetched == (await town.row(held)).changed_at


async def test_what_is_noted_at_the_end_is_written_before_the_end(town, settings):
    held = await town.add()
    await town.stamp(held, arrives=False)
    row = await town.row(held)
    db = await Database.open(settings)
    notes = FetchNotes(db)
    view = await db.read(load_pass, held.id, town.clock.now())
    notes.note(view.held)
    await notes.close()
    await db.close()
    assert (await town.row(held)).fetched == row.changed_at


def test_it_is_among_the_hourly_jobs():
    job = find_job("nudge")
    assert job is not None
    assert job.run is nudge.run
    assert job.cron.split()[1:] == ["*"] * 4
