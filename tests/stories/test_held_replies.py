"""The answer to 「使う」 waits for staff, and the service is killed or stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from core.store.tables import redemption
from jobs.demo.world import CHANNEL_ID, STAFF_EMAIL, STAFF_PASSWORD
from tests.bot.line_house import texts_in
from tests.stories.conftest import until
from tests.stories.drills import Drill, drill
from tests.stories.test_crash import LEASE_OVER
from tests.webhooks.rooms import field


@pytest.fixture
async def shop(story_database, tmp_path) -> AsyncIterator[Drill]:
    async with drill(tmp_path, story_database, goal=3) as opened:
        yield opened


class Till:
    """A browser at the till."""

    def __init__(self, web: aiohttp.ClientSession, url: str) -> None:
        self._web, self._url = web, url

    async def get(self, path: str) -> str:
        async with self._web.get(f"{self._url}{path}") as answer:
            assert answer.status == 200
            return await answer.text()

    async def post(self, path: str, form: dict[str, str]) -> str:
        async with self._web.post(f"{self._url}{path}", data=form) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text

    async def confirm(self, asked: str) -> str:
        page = await self.get("/till/")
        form = {name: field(page, name) for name in ("csrf", "key")}
        return await self.post(f"/till/asked/{asked}/confirm", form)


@asynccontextmanager
async def at_till(shop: Drill) -> AsyncIterator[Till]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as web:
        till = Till(web, shop.service.url)
        form = {"email": STAFF_EMAIL, "password": STAFF_PASSWORD}
        await till.post("/till/signin", form)
        yield till


async def hold(shop: Drill) -> str:
    """Somebody presses 「使う」, and the dots are on their screen."""
    line = shop.world.line
    [hanako] = shop.add_people(1)
    await line.follow(CHANNEL_ID, hanako)
    await line.wait_for_reply(CHANNEL_ID, hanako)
    [card] = (await shop.api("GET", f"/cards?line_user_id={hanako}"))["cards"]
    body = {"n": 3, "shop": "main"}
    done = await shop.api("POST", f"/cards/{card['id']}/stamps", body, key="full")
    [voucher] = done["card"]["vouchers"]
    await line.postback(CHANNEL_ID, hanako, f"a=use&v={voucher['id']}")
    await until(lambda: (CHANNEL_ID, hanako) in line.world.typing)
    return hanako


def said(shop: Drill, who: str) -> list[str]:
    """The first words of each answer but the welcome."""
    return [texts_in(item.message)[0] for item in shop.replies(who)[1:]]


def requests(tx: Any) -> list[tuple[str, str]]:
    return [(row.id, row.state) for row in tx.execute(select(redemption)).all()]


async def test_killed_while_it_waits_the_next_process_says_what_staff_did(shop):
    await shop.open_up()
    async with at_till(shop) as till:
        hanako = await hold(shop)
        await shop.service.kill()
        [(asked, state)] = await shop.look(requests)
        assert state == "waiting"
        assert said(shop, hanako) == []

        # Nobody works on the inbox yet, but the till does.
        await shop.service.start(role="web", later=LEASE_OVER)
        assert "引き換えました" in await till.confirm(asked)
        await shop.service.kill()
    await shop.service.start(later=LEASE_OVER)
    await shop.settle()

    [answer] = said(shop, hanako)
    assert answer.startswith("使いました ")
    assert await shop.look(requests) == [(asked, "done")]
    assert await shop.wrongs() == []


async def test_killed_while_it_waits_and_too_late_to_wait_on_it_is_the_ticket(shop):
    await shop.open_up()
    async with at_till(shop):
        hanako = await hold(shop)
        await shop.service.kill()
        await shop.service.start(later=LEASE_OVER)
        await shop.settle()
    assert said(shop, hanako) == ["スタッフにお見せください"]
    [(_, state)] = await shop.look(requests)
    assert state == "waiting"


async def test_a_stop_waits_for_nobody_at_a_till(shop):
    await shop.open_up()
    async with at_till(shop):
        hanako = await hold(shop)
        shop.service.tell_to_stop()
        assert await shop.service.stopped() == 0
    assert said(shop, hanako) == ["スタッフにお見せください"]
    assert shop.service.errors() == []
