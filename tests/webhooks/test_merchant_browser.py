"""The editor in a real browser: live preview, keyboard, nothing forbidden."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.actions.publish import load_program
from tests.builders import PASSWORD
from tests.webhooks.rooms import serve_rooms

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@asynccontextmanager
async def editor(db, settings, clock, shop, width=1280) -> AsyncIterator[Page]:
    """The form of the shop's card, the owner signed in; no complaint on the console."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        view = {"width": width, "height": 812}
        page = await browser.new_page(locale="ja-JP", viewport=view)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(str(client.make_url(f"/merchant/cards/{shop.program.id}")))
        await page.fill("#email", "owner@aozora.jp")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#design")).to_be_visible()
        yield page
        assert not said
        await browser.close()


async def test_the_preview_follows_what_is_typed(db, settings, clock, shop):
    async with editor(db, settings, clock, shop) as page:
        await page.fill("#name", "抹茶カード")
        await page.fill("#goal", "7")
        faces = page.locator("#faces")
        await expect(faces).to_contain_text("抹茶カード")
        await expect(faces).to_contain_text("7個中")

        await page.click(".palette >> nth=2")
        await expect(page.locator("#background")).to_have_value("#1f3a5f")
        await expect(page.locator(".face-google rect").first).to_have_attribute(
            "fill", "#1f3a5f"
        )
        await expect(page.locator("#unsaved")).to_be_visible()


async def test_rewards_are_added_and_removed_and_saved(db, settings, clock, shop):
    async with editor(db, settings, clock, shop) as page:
        for number in ("3", "5"):
            await page.click("[data-add]")
            await page.keyboard.type(number)
            await page.keyboard.press("Tab")
            await page.keyboard.type(f"特典{number}")
        await page.click("[data-remove] >> nth=0")
        # Enter saves; it neither adds a row nor picks a palette.
        await page.press("#name", "Enter")
        await expect(page.locator(".done")).to_contain_text("下書きを保存しました")

    program = await db.read(load_program, shop.merchant.id, shop.program.id)
    assert program.draft is not None
    assert [(r.at, r.name) for r in program.draft.rewards] == [
        (5, "特典5"),
        (10, "コーヒー1杯"),
    ]


@pytest.mark.parametrize("width", [320, 375, 800, 1000, 1280, 1920])
async def test_nothing_sticks_out_at_any_width(db, settings, clock, shop, width):
    async with editor(db, settings, clock, shop, width) as page:
        too_wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(too_wide)
        await page.goto(page.url.split("/merchant/")[0] + "/merchant/")
        assert not await page.evaluate(too_wide)


async def test_on_a_phone_the_three_faces_are_tabs(db, settings, clock, shop):
    async with editor(db, settings, clock, shop, 375) as page:
        await expect(page.locator(".face-chat")).to_be_visible()
        await expect(page.locator(".face-apple")).to_be_hidden()

        await page.click("label[for=tab-apple]")

        await expect(page.locator(".face-apple")).to_be_visible()
        await expect(page.locator(".face-chat")).to_be_hidden()


async def test_every_field_has_a_label(db, settings, clock, shop):
    async with editor(db, settings, clock, shop) as page:
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input, select, textarea, button")]
            .filter((e) => e.type !== "hidden" && !e.labels?.length
              && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
        )

        assert nameless == []
