"""The PIN pad in a real browser: by touch, by keyboard, and without a script."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import async_playwright, expect

from tests.webhooks.devices import PINS, give_pins, open_house

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture
async def house(db, settings, clock, shop, vault):
    await give_pins(db, vault, shop.merchant.id)
    async with open_house(db, settings, clock) as found:
        yield found


@asynccontextmanager
async def tablet(house, shop, *, script=True, size=(375, 667)):
    """A touch screen that opens the link of a new device."""
    owner = await (await house.browser()).settings()
    link = await owner.add_device("カウンター", shop.shop.id)
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        context = await browser.new_context(
            base_url=str(owner.answer.url.origin()),
            locale="ja-JP",
            has_touch=True,
            is_mobile=True,
            java_script_enabled=script,
            viewport={"width": size[0], "height": size[1]},
        )
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        await page.goto(link)
        await page.get_by_role("button", name="この端末をレジにする").click()
        yield page
        await browser.close()
    # The browser calls every answer from 400 on an error; those are asked for here.
    assert not [p for p in problems if "Failed to load resource" not in p]


async def touch(page, pin):
    for digit in pin:
        await page.locator(f"[data-key='{digit}']").tap()


@pytest.mark.parametrize("size", [(375, 667), (1024, 768)])
async def test_the_keys_type_a_pin_and_all_are_in_sight(house, shop, size):
    async with tablet(house, shop, size=size) as page:
        await expect(page.locator(".keys")).to_be_visible()
        go = page.get_by_role("button", name="はじめる")
        await expect(go).to_be_in_viewport(ratio=1)
        box = page.locator("[name=pin]")
        # The screen's own keyboard stays away.
        assert await box.get_attribute("inputmode") == "none"
        await touch(page, "5")
        await page.locator("[data-key=back]").tap()
        await touch(page, "99")
        await page.locator("[data-key=clear]").tap()
        await touch(page, PINS["clerk"])
        await expect(box).to_have_value(PINS["clerk"])
        await go.tap()
        await expect(page.locator(".who")).to_contain_text("担当: clerkさん")

        await page.get_by_role("link", name="交代").tap()
        await expect(page.locator(".now")).to_contain_text("いまの担当: clerkさん")
        await expect(go).to_be_in_viewport(ratio=1)
        await touch(page, PINS["manager"])
        await go.tap()
        await expect(page.locator(".who")).to_contain_text("担当: managerさん")


async def test_a_keyboard_types_a_pin_wherever_the_focus_is(house, shop):
    async with tablet(house, shop) as page:
        await page.locator("h1").tap()
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.type(PINS["clerk"])
        await page.keyboard.press("Enter")
        await expect(page.locator(".who")).to_contain_text("担当: clerkさん")


async def test_the_seconds_run_down_and_then_one_may_try_again(house, shop, clock):
    async with tablet(house, shop) as page:
        await page.clock.install()
        for _ in range(6):
            await touch(page, "9753")
            async with page.expect_navigation():
                await page.get_by_role("button", name="はじめる").tap()
        await expect(page.locator("[data-wait]")).to_contain_text("あと")
        await expect(page.locator("[data-key='1']")).to_be_disabled()
        await page.clock.fast_forward(10_000)
        await expect(page.locator("[data-wait]")).to_contain_text(
            "もう一度入力できます"
        )
        clock.move(seconds=30)
        await touch(page, PINS["clerk"])
        await page.get_by_role("button", name="はじめる").tap()
        await expect(page.locator(".who")).to_contain_text("担当: clerkさん")


async def test_without_a_script_the_phones_own_keyboard_does(house, shop):
    async with tablet(house, shop, script=False) as page:
        await expect(page.locator(".keys")).to_be_hidden()
        assert await page.locator("[name=pin]").get_attribute("inputmode") == "numeric"
        await page.fill("[name=pin]", PINS["clerk"])
        await page.get_by_role("button", name="はじめる").click()
        await expect(page.locator(".who")).to_contain_text("担当: clerkさん")
