"""kill -9, and everybody's patience with it: nothing is lost and nothing doubled.

LINE and the POS ask again for what was not answered, as soon as the shop is back. A
restart moves the service's clock where a real one would wait for the dead one's leases.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence

import aiohttp
import pytest

from jobs.demo.world import CHANNEL_ID
from tests.stories.conftest import until
from tests.stories.drills import (
    Ask,
    Drill,
    answered_keys,
    drill,
    notes_of_events,
    stamps_of_cards,
)
from tests.stories.processes import eventually

REPLY = "/v2/bot/message/reply"

# Beyond the lease of an event (30 s), within the life of its answer (50 s).
LEASE_OVER = 35
ANSWER_TOO_LATE = 55


@pytest.fixture
async def shop(story_database, tmp_path):
    async with drill(tmp_path, story_database, goal=3) as opened:
        yield opened


async def test_what_was_taken_just_before_a_crash_is_answered_after_it(shop):
    [hanako] = shop.add_people(1)
    # Nobody works on the inbox: the crash falls between the 200 and everything else.
    await shop.service.start(role="web")
    [event] = await shop.stamp_events([hanako])
    assert await shop.deliver(event)
    await shop.service.kill()
    assert shop.replies(hanako) == []

    await shop.service.start()

    await has_one_stamp_and_one_answer(shop, hanako)


async def test_an_answer_that_dies_on_its_way_is_given_by_the_next_process(shop):
    hanako = await crash_with_an_answer_on_its_way(shop)

    await shop.service.start(later=LEASE_OVER)

    await has_one_stamp_and_one_answer(shop, hanako)


async def test_an_answer_that_line_took_before_the_crash_is_not_given_again(shop):
    bell = shop.world.line.world.bell
    [hanako] = shop.add_people(1)
    await shop.open_up()
    [event] = await shop.stamp_events([hanako])
    # The line is in the chat, and the service dies before it hears of it.
    bell.listeners.append(
        lambda: shop.service.strike() if shop.replies(hanako) else None
    )
    assert await shop.deliver(event)
    await shop.service.struck()
    bell.listeners.clear()

    await shop.service.start(later=LEASE_OVER)

    await has_one_stamp_and_one_answer(shop, hanako)
    assert {event["webhookEventId"]: "replied before"} == await shop.look(
        notes_of_events
    )


async def test_a_restart_too_late_for_the_answer_still_keeps_the_stamp(shop):
    hanako = await crash_with_an_answer_on_its_way(shop)

    await shop.service.start(later=ANSWER_TOO_LATE)
    await shop.settle()

    assert shop.replies(hanako) == []
    await shop.world.line.say(CHANNEL_ID, hanako, "カード")
    await has_one_stamp_and_one_answer(shop, hanako)


async def test_no_stamp_is_lost_or_doubled_over_crashes_under_load(shop):
    regulars, cards, moments = shop.add_people(10), [], []
    unanswered: Sequence[Ask] = []
    # What dies with the process is the same; on SQLite the writer dies with it too.
    n_rounds = 3 if shop.world.settings.database_url else 5
    for number in range(n_rounds):
        # Each round lies beyond the leases of the crash before it.
        await shop.service.start(later=number * LEASE_OVER)
        cards = cards or [await shop.open_card(f"客{n}") for n in range(20)]
        await asyncio.gather(*(eventually(ask) for ask in unanswered))
        people = regulars + shop.add_people(10)
        asks = [shop.by_line(event) for event in await shop.stamp_events(people)]
        asks += [shop.by_pos(card, f"{card}-{number}") for card in cards]
        moments.append(a_moment())
        unanswered = await ask_until(shop, asks, *moments[-1])

    await shop.service.start(later=n_rounds * LEASE_OVER)
    await asyncio.gather(*(eventually(ask) for ask in unanswered))
    await shop.settle()

    # Ten new people came in each round; ten others and the POS's twenty cards in all.
    once, always = [1] * 10 * n_rounds, [n_rounds] * 30
    stamps = await shop.look(stamps_of_cards)
    assert stamps == once + always, f"crashed when {moments}"
    assert await shop.wrongs() == [], f"crashed when {moments}"
    assert max(len(shop.replies(person)) for person in regulars) <= n_rounds
    assert max(len(shop.replies(person)) for person in shop.people[10:]) == 1


async def test_sigterm_under_load_loses_nothing_that_was_answered(shop):
    people = shop.add_people(40)
    await shop.open_up()
    cards = [await shop.open_card(f"客{n}") for n in range(10)]
    asks = [shop.by_line(event) for event in await shop.stamp_events(people)]
    given: list[str] = []
    tills = [asyncio.create_task(stamp_on(shop, card, given)) for card in cards]
    talks = [asyncio.create_task(ask()) for ask in asks]
    await until(lambda: len(given) >= 50)

    shop.service.tell_to_stop()
    assert await shop.service.stopped() == 0

    await asyncio.gather(*tills)
    n_taken = sum(await asyncio.gather(*talks))
    # What was begun was ended, and told: a crash could promise less.
    assert {f"api:stamps:{key}" for key in given} == await shop.look(answered_keys)
    assert n_taken <= len(await shop.look(notes_of_events))
    assert await shop.wrongs() == []

    # And nothing is left lying: the next process does the rest at once.
    await shop.service.start()
    await asyncio.gather(*(eventually(ask) for ask in asks))
    await shop.settle()
    assert {len(shop.replies(person)) for person in people} == {1}
    assert await shop.wrongs() == []


async def crash_with_an_answer_on_its_way(shop: Drill) -> str:
    """A stamp is kept, its answer is lost with the process; who asked."""
    line = shop.world.line
    [hanako] = shop.add_people(1)
    await shop.open_up()
    [event] = await shop.stamp_events([hanako])
    line.slow(1.0, REPLY)
    assert await shop.deliver(event)
    await until(lambda: not line.world.faults)
    await shop.service.kill()
    # What was on its way is refused where it arrives.
    line.forget_access_tokens()
    assert await shop.look(stamps_of_cards) == [1]
    return hanako


async def has_one_stamp_and_one_answer(shop: Drill, person: str) -> None:
    """Everything is done, and it was done once."""
    await shop.settle()
    assert await shop.look(stamps_of_cards) == [1]
    [answer] = shop.replies(person)
    assert "3個中1個" in answer.message["altText"]
    assert await shop.wrongs() == []


async def stamp_on(shop: Drill, card: str, given: list[str]) -> None:
    """Stamp a card again and again until nobody answers; the keys that were."""
    for number in itertools.count():
        key = f"{card}-{number}"
        try:
            answer = await shop.stamp(card, key)
        except aiohttp.ClientConnectionError:
            return
        assert answer["outcome"] == "granted"
        given.append(key)


def a_moment() -> tuple[str, int]:
    """When to crash: so many of forty asks are answered, or of twenty replied to."""
    if secrets.randbelow(2):
        return "answered", 1 + secrets.randbelow(40)
    return "replied", 1 + secrets.randbelow(20)


async def ask_until(
    shop: Drill, asks: Sequence[Ask], what: str, count: int
) -> list[Ask]:
    """Ask all at once and crash in that moment; the asks that got no answer."""
    answered: list[Ask] = []
    n_replies, bell = shop.count_replies(), shop.world.line.world.bell

    def strike_in_time() -> None:
        n_replied = shop.count_replies() - n_replies
        if count <= (len(answered) if what == "answered" else n_replied):
            shop.service.strike()

    async def note(ask: Ask) -> None:
        if await ask():
            answered.append(ask)
            strike_in_time()

    bell.listeners.append(strike_in_time)
    running = [asyncio.create_task(note(ask)) for ask in asks]
    await shop.service.struck()
    bell.listeners.clear()
    await asyncio.gather(*running)
    return [ask for ask in asks if ask not in answered]
