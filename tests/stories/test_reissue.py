"""A phone is lost: its passes end there, and the new phone has the same card."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import aiohttp
import pytest

from core.clock import Clock
from jobs.demo.apple_phone import ApplePhone
from jobs.demo.world import STAFF_EMAIL, STAFF_PASSWORD
from tests.stories.conftest import until
from tests.stories.test_one_stamp import header, save_to_google
from tests.webhooks.rooms import field


@pytest.fixture
async def till(town):
    """A browser that is signed in at the till."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(town.url, cookie_jar=jar) as web:
        form = {"email": STAFF_EMAIL, "password": STAFF_PASSWORD}
        async with web.post("/till/signin", data=form) as answer:
            assert answer.status == 200
        yield web


@pytest.fixture
async def new_phone(town):
    """It hears pushes beside the lost one."""
    phone, apns = ApplePhone(Clock()), town.world.apns
    await phone.start()
    first = apns.on_push

    def both(token, topic):
        first(token, topic)
        phone.pushed(token, topic)

    apns.on_push = both
    yield phone
    apns.on_push = first
    await phone.stop()


async def test_the_lost_phones_passes_end_and_the_new_ones_go_on(town, till, new_phone):
    lost, google = town.world.phone, town.world.google
    hanako = town.world.line.add_person("花子")
    await town.follow(hanako)
    await town.say(hanako, f"STAMP {await town.till_code(2)}")
    card = await town.card_of(hanako)
    serial = await lost.add(f"{card['add_to_wallet_url']}.pkpass")
    old_object = await save_to_google(town, card)
    old_code = code_on(lost.passes[serial])
    # Both platforms are down while it happens: the passes end all the same.
    google.faults.down = True
    town.world.apns.mood = lambda: "down"

    await reissue(till, old_code)

    google.faults.down = False
    town.world.apns.mood = str
    await until(lambda: lost.passes[serial].file.info.get("voided"), 60)
    await until(lambda: google.objects[old_object]["state"] == "INACTIVE", 60)
    assert "barcode" not in google.objects[old_object]
    assert "再発行" in lost.notices[-1].text
    assert code_on(lost.passes[serial]) == old_code

    # The new phone, and another Google account.
    card = await town.card_of(hanako)
    assert card["balance"] == 2
    new_serial = await new_phone.add(f"{card['add_to_wallet_url']}.pkpass")
    new_object = await save_to_google(town, card)
    assert (new_serial, new_object) != (serial, old_object)
    assert code_on(new_phone.passes[new_serial]) != old_code

    # A stamp is news on the new ones only.
    n_updates = lost.passes[serial].n_updates
    await town.say(hanako, f"STAMP {await town.till_code()}")
    shown = await new_phone.wait_for_update(new_serial)
    assert header(shown) == ["3/10"]
    await until(
        lambda: (
            google.objects[new_object]["loyaltyPoints"]["balance"]["string"] == "3/10"
        )
    )
    assert lost.passes[serial].n_updates == n_updates
    assert google.objects[old_object]["state"] == "INACTIVE"
    # Pulled down by hand, the old one still tells nothing.
    await lost.pull(serial)
    assert lost.passes[serial].file.info["voided"] is True
    assert header(lost.passes[serial]) == ["–"]
    assert lost.problems == new_phone.problems == []


async def reissue(web, code):
    async with web.get(f"/till/cards/{code}/reissue") as answer:
        page = await answer.text()
    form = {name: field(page, name) for name in ("csrf", "key")}
    async with web.post(f"/till/cards/{code}/reissue", data=form) as answer:
        assert answer.status == 200
        assert re.fullmatch(r"/till/cards/\w+/wallet", answer.url.path)


def code_on(held):
    """What the barcode of a pass carries."""
    [barcode] = held.file.info["barcodes"]
    return urlsplit(barcode["message"]).path.removeprefix("/c/")
