"""What a pass's update must stand: another stamp in its second, a silent platform."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp
import pytest
from sqlalchemy import select

from core.clock import Clock
from core.store.tables import outbox
from passes.google import api
from tests.conftest import ManualClock
from tests.stories.conftest import open_town, until
from tests.stories.phones import many_phones
from tests.stories.test_one_stamp import save_to_google


@pytest.fixture
async def still_town(story_database, tmp_path):
    """A town whose clock stands still."""
    async with open_town(
        tmp_path, story_database, ManualClock(Clock().now())
    ) as opened:
        yield opened


async def open_card(town, name="花子"):
    return await town.api("POST", "/cards", {"program": "coffee", "name": name})


async def stamp(town, card):
    path = f"/cards/{card['id']}/stamps"
    return await town.api("POST", path, {"n": 1, "shop": "main"})


async def test_two_stamps_in_one_second_both_reach_the_phone(still_town):
    town, phone = still_town, still_town.world.phone
    card = await open_card(town)
    serial = await phone.add(f"{card['add_to_wallet_url']}.pkpass")
    name = await save_to_google(town, card)
    held, things = phone.passes[serial], town.world.google.objects
    seen = [held.last_modified]
    for count in (1, 2, 3):
        await stamp(town, card)
        await phone.wait_for_update(serial, count)
        await until(
            lambda n=count: (
                things[name]["loyaltyPoints"]["balance"]["string"] == f"{n}/10"
            )
        )
        seen.append(held.last_modified)

    [shown] = [field["value"] for field in held.file.fields("header", "ja")]
    assert shown == "3/10"
    assert len(set(seen)) == 4
    assert phone.problems == []


async def test_a_push_that_is_never_answered_holds_up_no_other_pass(town):
    async with many_phones(town.world.apns) as phones:
        cards = [await open_card(town, name) for name in ("一", "二")]
        silent, other = [
            await phones.add(f"{card['add_to_wallet_url']}.pkpass", token=token)
            for card, token in zip(cards, ("hang", ""), strict=True)
        ]
        await stamp(town, cards[0])
        await town.world.apns.wait_for_pushes(1)
        await stamp(town, cards[1])

        await until(lambda: phones.shows(other)[0] == "1/10")
        # The first is still under way, on the same connection.
        assert await is_under_way(town, phones.serials[silent.push_token])
        assert town.world.apns.n_connections == 1


async def test_a_call_that_google_never_answers_holds_up_no_other_pass(
    town, monkeypatch
):
    google = town.world.google
    cards = [await open_card(town, name) for name in ("一", "二")]
    silent, other = [await save_to_google(town, card) for card in cards]
    await until(lambda: len(google.callback_answers) == 2)
    await settled(town)
    way = urlsplit(google.url).path + f"/walletobjects/v1/loyaltyObject/{silent}"
    google.fail_next(None, path=way, hangs=True)
    n_calls = len(google.calls)

    def shown(name):
        return google.objects[name]["loyaltyPoints"]["balance"]["string"]

    monkeypatch.setattr(api, "_TIMEOUT", aiohttp.ClientTimeout(total=3))
    await stamp(town, cards[0])
    await until(lambda: len(google.calls) > n_calls)
    await stamp(town, cards[1])
    await until(lambda: shown(other) == "1/10")
    assert shown(silent) == "0/10"
    # Nor is it lost: what was never answered is sent again.
    await until(lambda: shown(silent) == "1/10", 30)


async def is_under_way(town, serial):
    def look(tx):
        mine = select(outbox).where(outbox.c.topic == f"pass:{serial}")
        return tx.execute(mine).one()

    row = await town.service.db.read(look)
    return row.wanted > row.done and row.lease_until is not None


async def settled(town):
    """Every pass is told."""

    def behind(tx):
        passes = outbox.c.topic.startswith("pass:")
        return tx.execute(
            select(outbox).where(passes, outbox.c.wanted > outbox.c.done)
        ).all()

    while await town.service.db.read(behind):
        await town.service.db.wait({"nothing"}, 0.02)
