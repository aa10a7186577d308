"""The pad for a PIN of staff in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.actions.redemptions import confirm_redemption
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_phone_pin import (  # noqa: F401 -- fixtures
    PIN,
    asked,
    clerk,
    page,
    view,
    voucher,
)

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 375, "height": 667}

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@asynccontextmanager
async def phone(db, settings, clock, *, script=True) -> AsyncIterator[Page]:
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield await browser.new_page(
            base_url=str(client.make_url("/")),
            locale="ja-JP",
            viewport=PHONE,
            java_script_enabled=script,
        )
        await browser.close()


async def press(hers: Page, digits: str) -> None:
    for digit in digits:
        await hers.click(f"[data-digit='{digit}']")


async def test_staff_type_on_the_pages_own_pad_and_the_ticket_turns(
    db,
    settings,
    clock,
    page,  # noqa: F811 -- the fixture
    view,  # noqa: F811 -- the fixture
    clerk,  # noqa: F811 -- the fixture
):
    async with phone(db, settings, clock) as hers:
        await hers.goto(page)
        await hers.click(".forstaff a")
        # The phone's keyboard stays away: it is the customer's, and learns.
        box = hers.locator("#pin")
        await expect(box).to_have_attribute("inputmode", "none")
        await press(hers, "12345678")
        await expect(box).to_have_value("123456")
        await hers.click("[data-erase]")
        await expect(box).to_have_value("12345")
        await hers.click("button.main")
        await expect(hers.locator(".state")).to_have_text("暗証番号がちがいます")
        await expect(box).to_have_value("")
        await press(hers, PIN)
        await hers.click("button.main")
        await expect(hers.locator(".use.done")).to_be_visible()
        assert (await voucher(db, view)).state == "redeemed"
        width = await hers.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]


async def test_the_way_to_the_pad_goes_once_the_till_confirmed(
    db,
    settings,
    clock,
    shop,
    page,  # noqa: F811 -- the fixture
    asked,  # noqa: F811 -- the fixture
    clerk,  # noqa: F811 -- the fixture
):
    async with phone(db, settings, clock) as hers:
        await hers.goto(page)
        await expect(hers.locator(".forstaff")).to_be_visible()
        await db.write(
            confirm_redemption,
            merchant_id=asked.merchant_id,
            redemption_id=asked.id,
            by=shop.owner,
            key="till",
            now=clock.now(),
        )
        await expect(hers.locator(".use.done")).to_be_visible()
        await expect(hers.locator(".forstaff")).to_be_hidden()


async def test_without_a_script_the_phones_keyboard_does_it(
    db,
    settings,
    clock,
    page,  # noqa: F811 -- the fixture
    view,  # noqa: F811 -- the fixture
    clerk,  # noqa: F811 -- the fixture
):
    async with phone(db, settings, clock, script=False) as hers:
        await hers.goto(f"{page}/staff")
        await expect(hers.locator(".keys")).to_be_hidden()
        await hers.fill("#pin", PIN)
        await hers.click("button.main")
        await expect(hers.locator(".use.done")).to_be_visible()
        assert (await voucher(db, view)).state == "redeemed"
