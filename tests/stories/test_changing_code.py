"""Screenshot protection from the switch to the till: Google's stand-in makes the codes,
as a phone does, and knows nothing of ours.
"""

from __future__ import annotations

import html
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp

from jobs.demo.google_barcode import shown_code
from jobs.demo.world import STAFF_EMAIL, STAFF_PASSWORD
from tests.google_schema import check
from tests.stories.conftest import until
from tests.stories.test_one_stamp import save_to_google
from tests.webhooks.desk import Merchant
from tests.webhooks.rooms import field


async def test_protected_a_photo_of_the_pass_is_worth_nothing(town):
    hanako = town.world.line.add_person("花子")
    await town.follow(hanako)
    card = await town.card_of(hanako)
    name = await save_to_google(town, card)
    google = town.world.google.objects
    first, _ = shown_code(google[name], now())
    assert "/c/T" not in first

    async with owner(town) as desk:
        program = await program_of(desk)
        await switch(desk, program, "1")
        await until(lambda: "rotatingBarcode" in google[name])
        assert "barcode" not in google[name]
        assert check("loyaltyObject", kept(google[name]), plain_http=True) == []

        async with till(town) as here, till(town) as there:
            shot, text = shown_code(google[name], now())
            assert text == card["member_no"]
            status, page = await scan(here, shot)
            assert status == 200
            assert card["member_no"] in page
            await stamp(here, page)
            await until(lambda: balance(google[name]) == "1/10")

            # Sent to a friend, who stands at the other till in the same half-minute.
            status, page = await scan(there, shot)
            assert (status, "読み取り済み" in page) == (410, True)
            # And one who shows it two minutes later.
            old, _ = shown_code(google[name], now() - timedelta(minutes=2))
            status, page = await scan(there, old)
            assert (status, "コードが変わっています" in page) == (410, True)
            assert (await town.card_of(hanako))["balance"] == 1

        await switch(desk, program, "")
        await until(lambda: "barcode" in google[name])
        assert not {"rotatingBarcode", "passConstraints"} & google[name].keys()
        assert shown_code(google[name], now())[0] == first


@asynccontextmanager
async def owner(town):
    """A browser that is signed in to the settings."""
    async with browser(town) as web:
        desk = Merchant(web)
        await desk.sign_in(STAFF_EMAIL, STAFF_PASSWORD)
        yield desk


@asynccontextmanager
async def till(town):
    """A browser that is signed in at the till."""
    async with browser(town) as web:
        form = {"email": STAFF_EMAIL, "password": STAFF_PASSWORD}
        async with web.post("/till/signin", data=form) as answer:
            assert answer.status == 200
        yield web


@asynccontextmanager
async def browser(town):
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(town.url, cookie_jar=jar) as web:
        yield web


async def program_of(desk):
    await desk.get("/merchant/")
    return desk.page.split('href="/merchant/cards/')[1].split('"')[0].split("/")[0]


async def switch(desk, program, value):
    """Set the switch on the card's page, and publish."""
    path = f"/merchant/cards/{program}"
    await desk.change(path, "publish", screenshot_protection=value)
    assert desk.path == f"{path}/publish"
    assert "スクリーンショット対策" in desk.page
    form = {name: field(desk.page, name) for name in ("csrf", "draft")}
    await desk.send(f"{path}/publish", {**form, "cards": "move"})
    assert desk.status == 200


async def scan(web, code):
    async with web.get("/till/find", params={"q": code}) as answer:
        return answer.status, html.unescape(await answer.text())


async def stamp(web, page):
    """Press +1 on the card's page."""
    code = page.split('action="/till/cards/')[1].split("/")[0]
    form = {name: field(page, name) for name in ("csrf", "key")} | {"n": "1"}
    async with web.post(f"/till/cards/{code}/stamps", data=form) as answer:
        assert "付与しました" in await answer.text()


def balance(thing):
    return thing["loyaltyPoints"]["balance"]["string"]


def kept(thing):
    """What was sent of it: the platform itself sets the rest."""
    return {name: value for name, value in thing.items() if name != "hasUsers"}


def now():
    """The time on a phone."""
    return datetime.now(UTC)
