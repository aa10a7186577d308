"""Events: kept once, one person at a time in order, many people at once."""

from __future__ import annotations

from datetime import timedelta

from core.actions.inbox import NewEvent, finish_event, keep_events, take_events
from core.rules.types import MerchantId

M = MerchantId("m")


def event(clock, number, who="U1", after=0.0):
    at = clock.now() + timedelta(seconds=after)
    return NewEvent(
        event_id=f"E{number}",
        person=who,
        happened_at=at,
        reply_deadline=at + timedelta(seconds=50),
        body="{}",
    )


async def taken(db, clock):
    return [e.event_id for e in await db.write(take_events, 10, 30, clock.now())]


async def test_the_same_event_is_kept_once(db, clock):
    events = [event(clock, 1), event(clock, 2)]

    assert await db.write(keep_events, M, events, clock.now()) == 2
    assert await db.write(keep_events, M, events, clock.now()) == 0


async def test_one_persons_events_come_one_by_one_in_the_order_of_their_time(db, clock):
    events = [event(clock, 1, after=2), event(clock, 2, after=1), event(clock, 3, "U2")]
    await db.write(keep_events, M, events, clock.now())

    assert {"E2", "E3"} == set(await taken(db, clock))
    assert await taken(db, clock) == []
    await db.write(finish_event, M, "E2", "", clock.now())
    assert await taken(db, clock) == ["E1"]


async def test_events_of_nobody_do_not_wait_for_each_other(db, clock):
    await db.write(
        keep_events, M, [event(clock, 1, ""), event(clock, 2, "")], clock.now()
    )

    assert len(await taken(db, clock)) == 2


async def test_an_event_of_a_dead_worker_is_taken_again(db, clock):
    await db.write(keep_events, M, [event(clock, 1)], clock.now())
    await taken(db, clock)

    clock.move(seconds=31)

    assert await taken(db, clock) == ["E1"]


async def test_a_redelivery_renews_the_time_for_the_answer(db, clock):
    await db.write(keep_events, M, [event(clock, 1)], clock.now())
    later = event(clock, 1, after=120)
    await db.write(keep_events, M, [later], clock.move(seconds=120))

    [kept] = await db.write(take_events, 10, 30, clock.now())

    assert kept.reply_deadline == later.reply_deadline
    assert kept.received_at == clock.now() - timedelta(seconds=120)
