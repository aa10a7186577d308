"""The bar on the settings page: how far a new look has got among the passes."""

from __future__ import annotations

import re

from core.errors import DeliveryError
from jobs.pump import Pump
from tests.builders import build_shop
from tests.jobs.test_pump import Platform
from tests.passes.fanout import a_redesign, holders
from tests.webhooks.desk import at_desk

OWNER = "owner@aozora.jp"


def bar(page):
    """The bar's value and its end, or None without a bar."""
    found = re.search(r'<progress max="(\d+)" value="(\d+)"', page)
    return found and (int(found[2]), int(found[1]))


def pump_of(db, clock, platform):
    return Pump(db, {"pass": platform, "class": platform}, clock)


async def test_the_page_shows_how_far_a_new_look_has_got(db, vault, settings, clock):
    shop, _ = await holders(db, vault, clock)
    await pump_of(db, clock, Platform()).drain()
    page = f"/merchant/cards/{shop.program.id}"
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(page)
        assert bar(desk.page) is None

        await a_redesign(db, shop, clock)
        await desk.get(page)
        assert bar(desk.page) == (0, 3)
        assert "3枚のうち0枚" in desk.page
        assert "progress.js" in desk.page

        platform = Platform()
        platform.failures = [DeliveryError("503")] * 4
        pump = pump_of(db, clock, platform)
        await pump.drain()
        await desk.get(page)
        assert "3枚はAppleかGoogleにつながらず" in desk.page

        clock.move(seconds=2)
        await pump.drain()
        await desk.get(page)
        assert bar(desk.page) is None


async def test_the_bar_follows_by_itself_and_ends(db, vault, settings, clock):
    shop, _ = await holders(db, vault, clock)
    pump = pump_of(db, clock, Platform())
    await pump.drain()
    await a_redesign(db, shop, clock)
    path = f"/merchant/cards/{shop.program.id}/progress/events"
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        async with desk.client.get(path) as stream:
            seen = await read_until(stream, "0枚")
            await pump.drain()
            seen += await read_until(stream, "event: end")

    assert "3枚がすべて新しくなりました" in seen


async def test_other_peoples_programs_have_no_bar(db, vault, settings, clock):
    shop, _ = await holders(db, vault, clock)
    await build_shop(db, vault, clock.now(), key="other", api_key="sk_other_one")
    path = f"/merchant/cards/{shop.program.id}/progress/events"
    async with at_desk(db, settings, clock) as desk:
        assert (await desk.get(path, allow_redirects=False)).status != 200
        await desk.sign_in("owner@other.jp")
        assert (await desk.get(path)).status == 404


async def read_until(stream, words):
    """What a stream sends up to these words."""
    seen = ""
    while words not in seen:
        line = (await stream.content.readline()).decode()
        assert line, seen
        seen += line
    return seen
