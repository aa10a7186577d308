"""The platforms fail, or say everything five times: stamping does not notice, and
afterwards everybody sees the last state, once.
"""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from core.store.tables import inbox, outbox
from tests.stories.conftest import until
from tests.stories.drills import Drill, drill, notes_of_events, stamps_of_cards
from tests.stories.processes import eventually

REPLY = "/v2/bot/message/reply"


@pytest.fixture
async def shop(story_database, tmp_path):
    async with drill(tmp_path, story_database) as opened:
        await opened.service.start()
        yield opened


@pytest.fixture
async def two_processes(postgres, tmp_path):
    url = postgres.fresh(empty=True)
    async with drill(tmp_path, url, limit="day", processes=2) as opened:
        await asyncio.gather(*(service.start() for service in opened.services))
        yield opened
    postgres.drop(url)


async def test_a_storm_of_redeliveries_is_one_stamp_and_one_answer_each(shop):
    people = shop.add_people(100)
    events = await shop.stamp_events(people)
    asks = [shop.by_line(event) for event in events]
    storm = [ask for ask in asks for _ in range(1 + secrets.randbelow(5))]
    secrets.SystemRandom().shuffle(storm)
    todo = iter(storm)

    async def sender() -> None:
        for ask in todo:
            await eventually(ask)

    await asyncio.gather(*(sender() for _ in range(30)))
    await shop.settle()

    assert await shop.look(stamps_of_cards) == [1] * 100
    assert {1} == {len(shop.replies(person)) for person in people}
    # Not even asked twice: LINE had no second reply to refuse.
    assert sum(call.path == REPLY for call in shop.world.line.world.calls) == 100
    assert len(await shop.look(notes_of_events)) == 100
    assert await shop.wrongs() == []


async def test_line_failing_in_every_way_doubles_no_answer_and_loses_none(shop):
    line, people = shop.world.line, shop.add_people(6)
    card = await shop.open_card("現金のお客さま")
    events = await shop.stamp_events(people)
    line.fail_next(REPLY, 429)
    line.fail_next(REPLY, 500)
    line.accept_then_500(REPLY)
    line.cut_next(REPLY)
    line.slow(1.5, REPLY)

    await asyncio.gather(*(eventually(shop.by_line(event)) for event in events))
    await until(lambda: not line.world.faults)
    assert (await shop.stamp(card, "meanwhile"))["outcome"] == "granted"
    assert shop.count_replies() < len(people)
    await shop.settle()

    assert {1} == {len(shop.replies(person)) for person in people}
    assert await shop.look(stamps_of_cards) == [1] * 7
    assert await shop.wrongs() == []


async def test_while_line_is_down_stamps_are_kept_and_answered_once_it_is_back(shop):
    line, people = shop.world.line, shop.add_people(10)
    card = await shop.open_card("現金のお客さま")
    events = await shop.stamp_events(people)
    line.down = True

    await asyncio.gather(*(eventually(shop.by_line(event)) for event in events))
    answers = [await shop.stamp(card, f"meanwhile-{n}") for n in range(5)]
    await eventually(lambda: shop.look(every_event_failed_once))
    assert await shop.look(stamps_of_cards) == [1] * 10 + [5]
    assert shop.count_replies() == 0
    line.down = False
    await shop.settle()

    assert {"granted"} == {answer["outcome"] for answer in answers}
    assert {1} == {len(shop.replies(person)) for person in people}
    assert await shop.look(stamps_of_cards) == [1] * 10 + [5]
    assert await shop.wrongs() == []


async def test_while_the_wallets_are_down_stamping_goes_on_and_the_last_state_wins(
    shop,
):
    apns, google, phone = shop.world.apns, shop.world.google, shop.world.phone
    card = await shop.api("POST", "/cards", {"program": "coffee", "name": "花子"})
    serial = await phone.add(f"{card['add_to_wallet_url']}.pkpass")
    name = await save_to_google(shop, card["add_to_wallet_url"])

    def shown() -> tuple[str, str]:
        [balance] = [
            field["value"] for field in phone.passes[serial].file.fields("header", "ja")
        ]
        return balance, google.objects[name]["loyaltyPoints"]["balance"]["string"]

    await shop.stamp(card["id"], "before")
    await until(lambda: shown() == ("1/10", "1/10"))
    await shop.settle()
    google.down = True
    port = urlsplit(apns.url).port
    await apns.stop()

    answers = [await shop.stamp(card["id"], f"during-{n}") for n in range(6)]
    await eventually(lambda: shop.look(every_pass_failed_once))
    answers.append(await shop.stamp(card["id"], "last"))
    assert shown() == ("1/10", "1/10")
    n_pushes, n_calls = len(apns.pushes), len(google.calls)
    n_updates = phone.passes[serial].n_updates
    google.down = False
    await apns.start(port)
    await shop.settle()
    await until(lambda: shown() == ("8/10", "8/10"))

    assert list(range(2, 9)) == [answer["card"]["balance"] for answer in answers]
    # Seven stamps, and one update of each pass.
    assert (n_pushes + 1, n_updates + 1) == (
        len(apns.pushes),
        phone.passes[serial].n_updates,
    )
    assert sum(call.method != "GET" for call in google.calls[n_calls:]) == 1
    assert await shop.wrongs() == []


async def test_a_sender_that_hangs_up_is_no_error_of_the_service(shop):
    host, port = urlsplit(shop.service.url).hostname, urlsplit(shop.service.url).port
    _, writer = await asyncio.open_connection(host, port)
    writer.write(b"POST /line/aozora HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    # Its turn has come: what was sent before the next request has been read.
    await shop.open_card("花子")
    writer.transport.abort()

    await until(lambda: "/line/{merchant}" in shop.service.log.read_text())
    assert "Traceback" not in shop.service.log.read_text()


async def test_one_event_at_two_processes_at_once_is_one_stamp_and_one_answer(
    two_processes,
):
    shop = two_processes
    people = shop.add_people(20)
    events = await shop.stamp_events(people)

    taken = await asyncio.gather(
        *(shop.hand_in(e, at=process) for e in events for process in shop.services)
    )
    await shop.settle()

    assert all(taken)
    assert await shop.look(stamps_of_cards) == [1] * 20
    assert {1} == {len(shop.replies(person)) for person in people}
    assert sum(call.path == REPLY for call in shop.world.line.world.calls) == 20
    assert await shop.wrongs() == []


async def test_once_a_day_holds_for_fifty_asks_at_two_processes_at_once(two_processes):
    shop = two_processes
    card = await shop.open_card("花子")
    both = [shop.services[n % 2] for n in range(50)]

    answers = await asyncio.gather(
        *(shop.stamp(card, f"ask-{n}", at=at) for n, at in enumerate(both))
    )

    whys = sorted(answer["why"] or "granted" for answer in answers)
    assert whys == ["already_today"] * 49 + ["granted"]
    assert await shop.look(stamps_of_cards) == [1]
    assert await shop.wrongs() == []


async def save_to_google(shop: Drill, card_url: str) -> str:
    """Tap "Add to Google Wallet"; the object's id."""
    path = urlsplit(card_url).path
    url = f"{shop.service.url}{path}/google"
    async with shop.web.get(url, allow_redirects=False) as answer:
        assert answer.status == 302
        link = answer.headers["Location"]
    return await shop.world.google.save(link.rsplit("/", 1)[1])


def every_event_failed_once(tx):
    """Each waiting event was tried, and has its lease back."""
    rows = tx.execute(select(inbox)).all()
    return all(row.attempts and row.lease_until is None for row in rows)


def every_pass_failed_once(tx):
    """Each pass that is behind was tried."""
    passes = select(outbox).where(outbox.c.topic.startswith("pass:"))
    rows = tx.execute(passes).all()
    return rows and all(row.attempts for row in rows)
