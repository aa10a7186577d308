"""What the till does by itself in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.clock import Clock
from tests.builders import PASSWORD
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_till_asked import Customer

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@asynccontextmanager
async def till(db, settings, clock, *, script=True) -> AsyncIterator[Page]:
    """A phone as a till, a clerk signed in."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        page = await browser.new_page(
            base_url=str(client.make_url("/")),
            locale="ja-JP",
            viewport={"width": 375, "height": 667},
            java_script_enabled=script,
        )
        await page.goto("/till/")
        await page.fill("#email", "clerk@aozora.jp")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator(".numbers")).to_be_visible()
        yield page
        await browser.close()


async def test_a_code_goes_before_its_time_when_the_network_is_lost(
    db, settings, clock, shop
):
    async with till(db, settings, clock) as page:
        await page.clock.install()
        await page.route("**/events*", lambda route: route.abort())
        await page.goto("/till/auto")
        await expect(page.locator(".code svg")).to_be_visible()
        await page.clock.run_for(38_000)
        await expect(page.locator(".code svg")).to_be_visible()
        await expect(page.locator("[data-offline]")).to_be_visible()

        # A tablet that slept: its timers come late, but the clock has moved on.
        await page.clock.fast_forward(60_000)
        await expect(page.locator(".code svg")).to_have_count(0)
        await expect(page.locator(".lost")).to_contain_text("コードを新しくできません")
        assert not await page.locator(".digits").count()

        await page.unroute("**/events*")
        await page.clock.run_for(3_000)
        await expect(page.locator(".code svg")).to_be_visible()
        await expect(page.locator("[data-offline]")).to_be_hidden()


async def test_the_next_code_comes_by_itself(db, settings, clock, shop):
    async with till(db, settings, clock) as page:
        await page.goto("/till/auto")
        digits = page.locator(".digits b")
        first = await digits.inner_text()
        clock.move(seconds=30)
        await expect(digits).not_to_have_text(first)
        await expect(page.locator(".code svg")).to_be_in_viewport(ratio=1)


async def test_who_asks_appears_and_one_tap_confirms(db, settings, shop):
    clock = Clock()
    async with till(db, settings, clock) as page:
        hanako = await Customer(db, shop, clock).fill()
        await hanako.ask()
        ask = page.locator(".ask")
        await expect(ask).to_contain_text("花子さん")
        await expect(ask.locator(".main")).to_be_in_viewport(ratio=1)
        # The pad's first number needs no scrolling while somebody waits.
        await expect(page.locator(".numbers .first")).to_be_in_viewport(ratio=1)
        await ask.locator(".main").click()
        await expect(page.locator(".told")).to_contain_text("引き換えました")
        await expect(ask).to_have_count(0)
        assert (await hanako.voucher()).state == "redeemed"


async def test_without_a_script_a_fresh_code_and_a_request_come_by_reloading(
    db, settings, clock, shop
):
    async with till(db, settings, clock, script=False) as page:
        await page.goto("/till/auto")
        first = await page.locator(".digits b").inner_text()
        clock.move(seconds=30)
        hanako = await Customer(db, shop, clock).fill()
        await hanako.ask()
        await expect(page.locator(".ask")).to_be_visible(timeout=10_000)
        assert await page.locator(".digits b").inner_text() != first
        await page.locator(".ask .main").click()
        await expect(page.locator(".told")).to_contain_text("引き換えました")
