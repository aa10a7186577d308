"""The 会員証 page in a real browser: live, and never with an old code."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.actions.cards import find_cards
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.links import Links
from core.rules.asking import StampAsk
from tests.builders import person
from tests.webhooks.rooms import serve_rooms

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 375, "height": 667}

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@dataclass(kw_only=True)
class Phone:
    """花子's phone, her card, and what went wrong in the browser."""

    page: Page
    path: str
    troubles: list[str]

    async def code(self) -> str:
        """What the picture of the code is drawn by."""
        path = self.page.locator(".qr path")
        return str(await path.get_attribute("d"))


@asynccontextmanager
async def phone(
    db, settings, clock, shop, vault, *, script=True
) -> AsyncIterator[Phone]:
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    who = person()
    await db.write(follow, shop.merchant.id, who, "follow", clock.now())
    (view,) = await db.read(
        find_cards, shop.merchant.id, clock.now(), line_user_id=who.user_id
    )
    path = "/m/" + Links(vault, "", clock).member(view.card.id).rpartition("/")[2]
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        page = await browser.new_page(
            base_url=str(client.make_url("/")),
            locale="ja-JP",
            viewport=PHONE,
            java_script_enabled=script,
        )
        found = Phone(page=page, path=path, troubles=[])
        page.on("pageerror", lambda error: found.troubles.append(str(error)))
        yield found
        await browser.close()


async def give(db, shop, clock, n=1):
    (view,) = await db.read(
        find_cards, shop.merchant.id, clock.now(), line_user_id=person().user_id
    )
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=f"give:{n}",
        how="scan",
        card_id=view.card.id,
        stamps=n,
    )
    await db.write(grant_stamps, ask, clock.now())


async def test_the_code_changes_and_a_stamp_shows_by_itself(
    db, settings, clock, shop, vault
):
    async with phone(db, settings, clock, shop, vault) as hers:
        page = hers.page
        await page.goto(hers.path)
        await expect(page.locator(".qr svg")).to_be_in_viewport(ratio=1)
        await expect(page.locator(".member .no")).to_be_in_viewport(ratio=1)
        first = await hers.code()
        clock.move(seconds=61)
        await expect(page.locator(".qr path")).not_to_have_attribute("d", first)
        await give(db, shop, clock, 2)
        await expect(page.locator(".given")).to_contain_text("スタンプ+2")
        await expect(page.locator(".given")).to_be_in_viewport(ratio=1)
        await expect(page.locator(".cards li")).to_contain_text("2 / 10")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
        assert hers.troubles == []


async def test_an_old_code_is_never_left_standing(db, settings, clock, shop, vault):
    async with phone(db, settings, clock, shop, vault) as hers:
        page = hers.page
        await page.clock.install()
        await page.route("**/events*", lambda route: route.abort())
        await page.goto(hers.path)
        await page.clock.run_for(50_000)
        await expect(page.locator(".qr svg")).to_be_visible()
        await expect(page.locator("[data-offline]")).to_be_visible()

        # A phone that slept: its timers come late, but the clock has moved on.
        await page.clock.fast_forward(60_000)
        await expect(page.locator(".qr svg")).to_have_count(0)
        await expect(page.locator(".lost")).to_contain_text("コードを新しくできません")
        await expect(page.locator(".member .no")).to_be_visible()

        await page.unroute("**/events*")
        clock.move(seconds=110)
        await page.clock.run_for(9_000)
        await expect(page.locator(".qr svg")).to_be_visible()
        await expect(page.locator("[data-offline]")).to_be_hidden()
        assert hers.troubles == []


async def test_after_ten_minutes_the_open_page_leads_back_into_the_chat(
    db, settings, clock, shop, vault
):
    async with phone(db, settings, clock, shop, vault) as hers:
        page = hers.page
        await page.goto(hers.path)
        await expect(page.locator(".qr svg")).to_be_visible()
        clock.move(minutes=11)
        await expect(page.locator(".over")).to_contain_text("会員証の時間が切れました")
        link = page.locator(".over a")
        await expect(link).to_have_attribute(
            "href", "https://line.me/R/oaMessage/%40aozora/?%E4%BC%9A%E5%93%A1%E8%A8%BC"
        )
        await expect(page.locator("svg")).to_have_count(0)
        await page.reload()
        await expect(page.locator(".over")).to_be_visible()
        assert hers.troubles == []


async def test_a_phone_that_slept_for_long_finds_that_it_is_over(
    db, settings, clock, shop, vault
):
    async with phone(db, settings, clock, shop, vault) as hers:
        page = hers.page
        await page.clock.install()
        await page.goto(hers.path)
        await page.route("**/events*", lambda route: route.abort())
        await page.evaluate("source.close()")
        clock.move(hours=8)
        await page.clock.fast_forward(8 * 3600 * 1000)
        await expect(page.locator(".qr svg")).to_have_count(0)
        await page.unroute("**/events*")
        await page.clock.run_for(12_000)
        await expect(page.locator(".over")).to_be_visible()


async def test_without_a_script_the_page_reloads_itself(
    db, settings, clock, shop, vault
):
    async with phone(db, settings, clock, shop, vault, script=False) as hers:
        page = hers.page
        clock.move(seconds=58)
        await page.goto(hers.path)
        first = await hers.code()
        clock.move(seconds=3)
        await give(db, shop, clock)
        await expect(page.locator(".given")).to_contain_text("スタンプ+1")
        assert await hers.code() != first
