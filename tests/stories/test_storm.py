"""A storm: everything that people do at once, delivered again and again and in any
order, while LINE is slow, fails, and fails after it has done what it was asked.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import func, select

from core.store.tables import redemption
from jobs.demo.line_events import redelivered
from jobs.demo.world import CHANNEL_ID
from tests.stories.drills import Drill, Event, drill, stamps_of_cards
from tests.stories.processes import eventually

REPLY = "/v2/bot/message/reply"
PEOPLE = 30
SENDERS = 50


@pytest.fixture
async def shop(database_kind, story_database, tmp_path):
    """A card of one stamp; on PostgreSQL with two processes behind one address."""
    n = 2 if database_kind == "postgresql" else 1
    async with drill(tmp_path, story_database, goal=1, processes=n) as opened:
        await asyncio.gather(*(service.start() for service in opened.services))
        yield opened


async def test_in_a_storm_each_event_has_one_effect_and_one_answer(shop):
    seed = secrets.randbits(32)
    chance, people = random.Random(seed), shop.add_people(PEOPLE)
    if len(shop.services) == 1:
        # An answer that LINE takes ten seconds for is given up after eight, and sent
        # again. That takes its time, so once is enough.
        shop.world.line.slow(10.0, REPLY)

    first = [*await shop.stamp_events(people), *happenings(shop, people)]
    await rage(shop, first, chance)
    await shop.settle(40)
    assert await shop.look(stamps_of_cards) == [1] * PEOPLE, seed
    assert unanswered(shop, first) == [], seed

    # Each stamp has filled a card: now everybody uses what they won.
    used = [use for person in people for use in await use_events(shop, person)]
    assert len(used) == PEOPLE
    await rage(shop, used, chance)
    await shop.settle(40)
    assert unanswered(shop, used) == [], seed
    count = select(func.count()).select_from(redemption)
    asked = await shop.look(lambda tx: tx.execute(count).scalar_one())
    assert asked == PEOPLE, seed
    assert {len(shop.replies(person)) for person in people} == {5}, seed
    assert await shop.wrongs() == [], seed


def happenings(shop: Drill, people: Sequence[str]) -> Iterator[Event]:
    """What all of them do besides scanning: come, write a word, tap a button."""
    line = shop.world.line
    for person in people:
        yield line.event(CHANNEL_ID, person, "follow", follow={"isUnblocked": False})
        yield line.text_event(CHANNEL_ID, person, "カード")
        yield line.event(CHANNEL_ID, person, "postback", postback={"data": "a=help"})


async def use_events(shop: Drill, person: str) -> list[Event]:
    """A tap on 「使う」 for each voucher of theirs."""
    [card] = (await shop.api("GET", f"/cards?line_user_id={person}"))["cards"]
    return [
        shop.world.line.event(
            CHANNEL_ID, person, "postback", postback={"data": f"a=use&v={held['id']}"}
        )
        for held in card["vouchers"]
    ]


async def rage(shop: Drill, events: Sequence[Event], chance: random.Random) -> None:
    """Every event one to five times, shuffled, fifty deliveries at once, anywhere."""
    storm = [
        event if not again else redelivered(event)
        for event in events
        for again in range(chance.randint(1, 5))
    ]
    chance.shuffle(storm)
    todo = iter(storm)

    async def sender() -> None:
        for event in todo:
            if chance.random() < 1 / 10:
                trouble(shop, chance)
            at = chance.choice(shop.services)
            await eventually(lambda e=event, at=at: shop.hand_in(e, at=at), 60)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    shop.world.line.world.faults.clear()


def trouble(shop: Drill, chance: random.Random) -> None:
    """One of LINE's next answers goes wrong, one way or another."""
    line = shop.world.line
    chance.choice(
        [
            lambda: line.slow(0.5, REPLY),
            lambda: line.accept_then_500(REPLY),
            lambda: line.fail_next(REPLY, 429),
            lambda: line.fail_next(REPLY, 500),
            lambda: line.cut_next(REPLY),
        ]
    )()


def unanswered(shop: Drill, events: Sequence[Event]) -> list[str]:
    """The events whose reply token LINE has not seen used; it counts a second use."""
    tokens = shop.world.line.world.reply_tokens
    return [e["type"] for e in events if not tokens[e["replyToken"]].is_used]
