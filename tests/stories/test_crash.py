"""kill -9, and everybody's patience with it: nothing is lost and nothing doubled.

LINE delivers again what was not answered 200, as soon as the shop is back. A restart
moves the service's clock where a real one would wait for the dead one's leases.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets

import aiohttp
import pytest

from jobs.demo.line_world import Webhook
from jobs.demo.world import CHANNEL_ID
from tests.stories.conftest import until
from tests.stories.processes import (
    Drill,
    answered_keys,
    drill,
    event_ids,
    eventually,
    events_in_inbox,
    stamps_of_people,
)

REPLY = "/v2/bot/message/reply"

# Beyond the lease of an event (30 s), within the life of its answer (50 s).
LEASE_OVER = "+35s"
ANSWER_TOO_LATE = "+55s"


@pytest.fixture
async def shop(story_database, tmp_path):
    async with drill(tmp_path, story_database, goal=3) as opened:
        yield opened


async def test_what_was_taken_just_before_a_crash_is_answered_after_it(shop):
    [hanako] = shop.add_people(1)
    # Nobody works on the inbox: the crash falls between the 200 and everything else.
    await shop.service.start(role="web")
    [code] = await shop.till_codes(1)
    hook = await shop.world.line.say(CHANNEL_ID, hanako, f"STAMP {code}")
    assert 200 == hook.status
    await shop.service.kill()
    assert [] == shop.replies(hanako)

    await shop.service.start()

    await has_one_stamp_and_one_answer(shop, hanako)


async def test_an_answer_that_dies_on_its_way_is_given_by_the_next_process(shop):
    hanako = await crash_with_an_answer_on_its_way(shop)

    await shop.service.start(clock_offset=LEASE_OVER)

    await has_one_stamp_and_one_answer(shop, hanako)


async def test_an_answer_that_line_took_before_the_crash_is_not_given_again(shop):
    line = shop.world.line
    [hanako] = shop.add_people(1)
    await shop.service.start()
    [code] = await shop.till_codes(1)
    # The line is in the chat, and the service dies before it hears of it.
    line.world.bell.listeners.append(
        lambda: shop.service.strike() if shop.replies(hanako) else None
    )
    hook = await line.say(CHANNEL_ID, hanako, f"STAMP {code}")
    assert 200 == hook.status
    await until(lambda: shop.replies(hanako))
    await shop.service.kill()
    line.world.bell.listeners.clear()

    await shop.service.start(clock_offset=LEASE_OVER)

    await has_one_stamp_and_one_answer(shop, hanako)
    notes = await shop.look(events_in_inbox)
    assert ["replied before"] == [notes[event] for event in event_ids([hook])]


async def test_a_restart_too_late_for_the_answer_still_keeps_the_stamp(shop):
    hanako = await crash_with_an_answer_on_its_way(shop)

    await shop.service.start(clock_offset=ANSWER_TOO_LATE)
    await shop.settle()

    assert [] == shop.replies(hanako)
    await shop.world.line.say(CHANNEL_ID, hanako, "カード")
    await has_one_stamp_and_one_answer(shop, hanako)


async def test_no_stamp_is_lost_or_doubled_over_five_crashes_under_load(shop):
    line, regulars = shop.world.line, shop.add_people(20)
    unanswered: list[Webhook] = []
    moments, n_sent = [], 0
    for number in range(5):
        # Each round lies beyond the leases of the crash before it.
        await shop.service.start(clock_offset=f"+{35 * number}s")
        await redeliver(shop, unanswered)
        people = regulars + shop.add_people(20)
        codes = await shop.till_codes(len(people))
        moment = a_moment(shop, len(people))
        moments.append(moment)
        sending = [
            asyncio.create_task(line.say(CHANNEL_ID, person, f"STAMP {code}"))
            for person, code in zip(people, codes, strict=True)
        ]
        await reached(shop, *moment)
        await shop.service.kill()
        hooks = await asyncio.gather(*sending)
        unanswered = [hook for hook in hooks if hook.status != 200]
        n_sent += len(hooks)
    print("crashed at", moments)

    await shop.service.start(clock_offset="+175s")
    await redeliver(shop, unanswered)
    await shop.settle()

    assert n_sent == len(await shop.look(events_in_inbox))
    # Twenty came once in each round, a hundred came once.
    assert [1] * 100 + [5] * 20 == await shop.look(stamps_of_people)
    assert [] == await shop.wrongs()
    # At most one answer to each question.
    assert shop.count_replies() <= n_sent
    assert 5 >= max(len(shop.replies(person)) for person in regulars)


async def test_sigterm_under_load_loses_nothing_that_was_answered(shop):
    line, people = shop.world.line, shop.add_people(40)
    await shop.service.start()
    cards = [await shop.open_card(f"客{n}") for n in range(10)]
    codes = await shop.till_codes(len(people))
    given: list[str] = []
    tills = [asyncio.create_task(stamp_on(shop, card, given)) for card in cards]
    talks = [
        asyncio.create_task(line.say(CHANNEL_ID, person, f"STAMP {code}"))
        for person, code in zip(people, codes, strict=True)
    ]
    await until(lambda: len(given) >= 50)

    shop.service.tell_to_stop()
    assert 0 == await shop.service.stopped()

    await asyncio.gather(*tills)
    hooks = await asyncio.gather(*talks)
    taken = [hook for hook in hooks if hook.status == 200]
    assert {f"api:stamps:{key}" for key in given} <= await shop.look(answered_keys)
    assert set(event_ids(taken)) <= set(await shop.look(events_in_inbox))
    assert [] == await shop.wrongs()

    # And nothing is left lying: the next process does the rest at once.
    await shop.service.start()
    await redeliver(shop, [hook for hook in hooks if hook.status != 200])
    await shop.settle()
    assert {1} == {len(shop.replies(person)) for person in people}
    assert [] == await shop.wrongs()


async def crash_with_an_answer_on_its_way(shop: Drill) -> str:
    """A stamp is kept, its answer is lost with the process; who asked."""
    line = shop.world.line
    [hanako] = shop.add_people(1)
    await shop.service.start()
    [code] = await shop.till_codes(1)
    line.slow(1.0, REPLY)
    hook = await line.say(CHANNEL_ID, hanako, f"STAMP {code}")
    assert 200 == hook.status
    await until(lambda: not line.world.faults)
    await shop.service.kill()
    # What was on its way is refused where it arrives.
    line.forget_access_tokens()
    assert [1] == await shop.look(stamps_of_people)
    return hanako


async def has_one_stamp_and_one_answer(shop: Drill, person: str) -> None:
    """Everything is done, and it was done once."""
    await shop.settle()
    assert [1] == await shop.look(stamps_of_people)
    [answer] = shop.replies(person)
    assert "3個中1個" in answer.message["altText"]
    assert [] == await shop.wrongs()


async def stamp_on(shop: Drill, card: str, given: list[str]) -> None:
    """Stamp a card again and again until nobody answers; the keys that were."""
    for number in itertools.count():
        key = f"{card}-{number}"
        try:
            answer = await shop.stamp(card, key)
        except (aiohttp.ClientConnectionError, aiohttp.ServerDisconnectedError):
            return
        assert "granted" == answer["outcome"]
        given.append(key)


def a_moment(shop: Drill, n_events: int) -> tuple[str, int]:
    """When to crash: after so many webhooks are taken, or questions answered."""
    what = secrets.choice(("taken", "answered"))
    return what, secrets.randbelow(n_events) + 1


async def reached(shop: Drill, what: str, count: int) -> None:
    """Wait for the moment."""
    world, n_replies = shop.world.line.world, shop.count_replies()
    n_taken = len(world.webhooks)

    def look() -> bool | None:
        if what == "taken":
            return len(world.webhooks) - n_taken >= count or None
        return shop.count_replies() - n_replies >= count or None

    await world.bell.until(look, 10.0)


async def redeliver(shop: Drill, hooks: list[Webhook]) -> None:
    """Send again what was not taken, until it is."""

    async def deliver(hook: Webhook) -> None:
        async def taken() -> bool:
            again = await shop.world.line.redeliver(hook)
            return again.status == 200

        await eventually(taken)

    await asyncio.gather(*(deliver(hook) for hook in hooks))
