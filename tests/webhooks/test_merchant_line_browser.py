"""Connecting LINE in a real browser, at a phone's width and a desk's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from tests.builders import CHANNEL_SECRET
from tests.webhooks.browsers import CHROMIUM, owner_page
from tests.webhooks.line_desk import (
    CHANNEL,
    NEW_SECRET,
    PAGE,
    LineDesk,
    at_line_desk,
    forget_channel,
)

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@asynccontextmanager
async def signed_in(
    db, settings, vault, clock, width=1280, language="ja-JP"
) -> AsyncIterator[tuple[Page, LineDesk]]:
    """The owner on the page of a shop that is not on LINE; a quiet console."""
    await forget_channel(db)
    async with (
        at_line_desk(db, settings, vault, clock) as at,
        owner_page(at.desk.client, PAGE, width=width, locale=language) as page,
    ):
        await expect(page.locator("#channel-id")).to_be_visible()
        yield page, at


async def connect(page, secret=CHANNEL_SECRET):
    await page.fill("#channel-id", CHANNEL)
    await page.fill("#secret", secret)
    await page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["ja-JP", "en-US"])
@pytest.mark.parametrize("width", [320, 375, 900, 1280])
async def test_nothing_sticks_out_at_any_width(
    db, settings, vault, clock, shop, width, language
):
    too_wide = "document.documentElement.scrollWidth > innerWidth"
    async with signed_in(db, settings, vault, clock, width, language) as (page, at):
        assert not await page.evaluate(too_wide)
        await connect(page, NEW_SECRET)
        await expect(page.locator("#p-secret")).to_be_visible()
        assert not await page.evaluate(too_wide)
        await connect(page)
        await expect(page.locator("#check-menu")).to_be_visible()
        at.channel.webhook_url = "https://elsewhere.example/" + "a" * 200
        await page.reload()
        await page.locator("details > summary").click()
        assert not await page.evaluate(too_wide)


async def test_a_channel_is_connected_with_the_keyboard_and_its_list_worked_off(
    db, settings, vault, clock, shop
):
    async with signed_in(db, settings, vault, clock) as (page, at):
        await connect(page)
        await expect(page.locator(".done")).to_contain_text("接続しました")
        for name in ("secret", "webhook", "use", "test"):
            state = page.locator(f"#check-{name} .state")
            await expect(state).to_have_class("state good")
        await expect(page.locator("#secret")).to_be_hidden()
        await at.pump.drain()
        for what in ("redelivery", "greeting", "auto_reply"):
            line = page.locator(f"#check-{what}")
            await line.get_by_role("button").click()
            await expect(line.locator(".state")).to_have_class("state good")
        await expect(page.locator(".state:not(.good)")).to_have_count(0)


async def test_every_field_and_button_has_a_name(db, settings, vault, clock, shop):
    async with signed_in(db, settings, vault, clock) as (page, _):
        await connect(page)
        await expect(page.locator("#check-menu")).to_be_visible()
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input, button, summary")]
            .filter((e) => e.type !== "hidden" && !e.labels?.length
              && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []
