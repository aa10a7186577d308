"""The page of keys and webhooks in a real browser, with all that it can show."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright, expect

from core.actions.hooks import ping_hook
from core.actions.join import follow
from tests.builders import PASSWORD, person
from tests.jobs.hook_house import consuming, office
from tests.webhooks.rooms import serve_rooms

CHROMIUM = shutil.which("chromium")
PAGE = "/merchant/machines"

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture
async def busy(db, settings, vault, clock, shop):
    """A shop whose webhooks had good and bad days."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with (
        consuming() as consumer,
        office(db, plain, vault, clock, shop) as sending,
    ):
        told = (shop.merchant.id, shop.owner.id, clock.now())
        first = await sending.hook(f"{consumer.url}/members?shop=main-street-store")
        await db.write(follow, shop.merchant.id, person(), "f", clock.now())
        await sending.pump.drain()
        clock.move(minutes=7)
        consumer.answers = [web.Response(status=500), web.Response(status=410)]
        await db.write(ping_hook, told[0], first.id, told[1], clock.now())
        await sending.pump.drain()
        second = await sending.hook(f"{consumer.url}/gone", ("stamp.granted",))
        await db.write(ping_hook, told[0], second.id, told[1], clock.now())
        await sending.pump.drain()
        await db.write(ping_hook, told[0], first.id, told[1], clock.now())
        yield shop


@asynccontextmanager
async def signed_in(
    db, settings, clock, width=1280, language="ja-JP"
) -> AsyncIterator[Page]:
    """The owner on the page; no complaint on the console."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        view = {"width": width, "height": 812}
        page = await browser.new_page(locale=language, viewport=view)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(str(client.make_url(PAGE)))
        await page.fill("#email", "owner@aozora.jp")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#h-hooks")).to_be_visible()
        yield page
        assert not [text for text in said if "422" not in text]
        await browser.close()


@pytest.mark.parametrize("width", [320, 375, 900, 1280])
async def test_nothing_sticks_out_at_any_width(db, settings, clock, busy, width):
    async with signed_in(db, settings, clock, width) as page:
        too_wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(too_wide)
        for summary in await page.locator(".sure > summary").all():
            await summary.click()
        assert not await page.evaluate(too_wide)


async def test_every_field_and_button_has_a_name(db, settings, clock, busy):
    async with signed_in(db, settings, clock) as page:
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input, button, summary")]
            .filter((e) => e.type !== "hidden" && !e.labels?.length
              && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []


async def test_a_key_is_made_with_the_keyboard_and_revoked_after_a_question(
    db, settings, clock, shop
):
    async with signed_in(db, settings, clock) as page:
        await page.fill("#key-name", "本店レジ")
        await page.keyboard.press("Enter")
        await expect(page.locator(".secret")).to_contain_text("sk_")

        await page.get_by_text("控えました").click()
        await expect(page.locator(".secret")).to_have_count(0)
        row = page.locator(".rows > li", has_text="本店レジ")
        button = row.get_by_role("button", name="このキーを取り消す")
        await expect(button).to_be_hidden()
        await row.locator("summary").click()
        await expect(row).to_contain_text("すぐにつながらなくなります")
        await button.click()
        await expect(page.locator(".done")).to_contain_text("取り消しました")
        await expect(row).to_have_count(0)
