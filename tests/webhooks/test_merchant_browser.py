"""The editor in a real browser: live preview, keyboard, nothing forbidden."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.actions.publish import load_program
from core.rules.types import DoubleHours, Spend
from tests.builders import PASSWORD, coffee
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


async def test_the_rare_rules_open_follow_in_the_preview_and_are_saved(
    db, settings, clock, shop
):
    async with editor(db, settings, clock, shop) as page:
        await expect(page.locator("#day-cap")).to_be_hidden()
        await page.click(".more summary")
        await expect(page.locator("[name=stamp_per]")).to_be_hidden()
        await page.select_option("#spend", "amount")
        await page.fill("[name=stamp_per]", "1000")
        await expect(page.locator("#faces")).to_contain_text("あと¥600で1個")

        for _ in range(3):
            await page.click(".more [data-add]")
        await page.click("#doubles [data-remove] >> nth=1")
        for row, (start, end) in enumerate([("09:00", "11:00"), ("22:00", "02:00")]):
            await page.fill(f"[name=double_from] >> nth={row}", start)
            await page.fill(f"[name=double_to] >> nth={row}", end)
        for day in ("mon", "tue", "wed", "thu", "fri"):
            days = page.locator("#doubles > li >> nth=1").locator(f"[value$={day}]")
            await days.uncheck(force=True)
        await page.fill("#day-cap", "4")
        await page.press("#day-cap", "Enter")
        await expect(page.locator(".done")).to_contain_text("下書きを保存しました")
        await expect(page.locator(".more .badge")).to_have_text("3件 使用中")

    program = await db.read(load_program, shop.merchant.id, shop.program.id)
    assert program.draft == coffee(
        spend=Spend(per=1000),
        double_hours=(
            DoubleHours(days=tuple(range(7)), start=540, end=660),
            DoubleHours(days=(5, 6), start=1320, end=120),
        ),
        day_cap=4,
    )


async def test_the_last_row_that_may_be_added_is_the_last(db, settings, clock, shop):
    async with editor(db, settings, clock, shop) as page:
        await page.click(".more summary")
        for _ in range(7):
            await page.click(".more [data-add]")
        await expect(page.locator(".more [data-add]")).to_be_disabled()
        await page.click("#doubles [data-remove] >> nth=0")
        await expect(page.locator(".more [data-add]")).to_be_enabled()


@pytest.mark.parametrize("width", [320, 375, 800, 1000, 1280, 1920])
async def test_nothing_sticks_out_at_any_width(db, settings, clock, shop, width):
    async with editor(db, settings, clock, shop, width) as page:
        await page.click(".more summary")
        await page.click(".more [data-add]")
        await page.select_option("#spend", "amount")
        too_wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(too_wide)
        page.on("dialog", lambda dialog: dialog.accept())
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
        await page.click(".more summary")
        await page.click(".more [data-add]")
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input, select, textarea, button")]
            .filter((e) => e.type !== "hidden" && !e.labels?.length
              && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
        )

        assert nameless == []
