"""The first five minutes, as a newcomer spends them: phone page, till, settings.

With `--picture FILE` the phone page is kept as the README's picture.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright, expect

from core.clock import Clock
from jobs.demo.phone import phone_app
from jobs.demo.run import demo_parts
from jobs.demo.world import STAFF_EMAIL, STAFF_PASSWORD, demo_world
from jobs.serve import running
from tests.stories.conftest import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM IS NOT INSTALLED")

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}


class Newcomer:
    """Somebody with a browser, in front of the demo."""

    def __init__(self, browser: Browser, service: str, phone: str) -> None:
        self._browser = browser
        self.service = service
        self.phone = phone
        self.troubles: list[str] = []

    async def open(self, url: str, size: dict[str, int] = WIDE) -> Page:
        """A new tab; what goes wrong in it is noted."""
        page = await self._browser.new_page(viewport=size, locale="ja-JP")
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on(
            "console",
            lambda line: line.type == "error" and self.troubles.append(line.text),
        )
        await page.goto(url)
        return page

    async def sign_in(self, path: str, size: dict[str, int] = WIDE) -> Page:
        """A tab that is signed in at the till or the settings page."""
        page = await self.open(f"{self.service}{path}", size)
        await page.fill("#email", STAFF_EMAIL)
        await page.fill("#password", STAFF_PASSWORD)
        await page.click("form.stack button.wide")
        await page.wait_for_url(re.compile(re.escape(path) + "$"))
        return page


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Newcomer]:
    """The demo on free ports, and a browser."""
    clock = Clock()
    port = free_port()
    async with (
        demo_world(tmp_path, port, clock) as world,
        running(world.settings, clock=clock, host="127.0.0.1", port=port) as service,
        async_playwright() as playwright,
    ):
        runner = web.AppRunner(phone_app(demo_parts(world, service, clock)))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        phone_port = runner.addresses[0][1]
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        url = f"http://localhost:{port}"
        yield Newcomer(browser, url, f"http://localhost:{phone_port}/")
        await browser.close()
        await runner.cleanup()


async def test_the_first_five_minutes(
    newcomer: Newcomer, request: pytest.FixtureRequest
) -> None:
    phone = await newcomer.open(newcomer.phone)
    till = await newcomer.sign_in("/till/", {"width": 1024, "height": 768})

    # 1. Add the shop as a friend: the card is there.
    await phone.click("#step-friend .action")
    await expect(phone.locator("#chat-lines")).to_contain_text("10個中0個")

    # 2. One tap at the till, one scan, send: the till knows whose stamp it was.
    await stamp(phone, till)
    await expect(phone.locator("#chat-lines")).to_contain_text("10個中1個")
    await expect(till.locator(".result.done")).to_contain_text("花子さん")
    await expect(till.locator(".result.done")).to_contain_text("付与しました")

    # 3. Into both wallets.
    await add_to_wallet(phone, "add-apple")
    shelf = phone.locator("#wallet-shelf")
    await expect(shelf).to_contain_text("1/10")
    await add_to_wallet(phone, "add-google")
    await phone.click("[data-side=google]")
    await expect(shelf).to_contain_text("1/10")

    # The next stamp changes the chat and both passes by itself, and rings.
    await stamp(phone, till, stamps=3)
    await expect(phone.locator("#chat-lines")).to_contain_text("10個中4個")
    await expect(shelf).to_contain_text("4/10")
    await phone.click("[data-side=apple]")
    await expect(shelf).to_contain_text("4/10")
    await expect(phone.locator("#banner")).to_contain_text("4/10")

    picture = request.config.getoption("--picture")
    if picture:  # once the banner has slid in
        await phone.wait_for_timeout(400)
        await phone.screenshot(path=picture)
    assert newcomer.troubles == []


async def test_what_is_published_reaches_chat_and_passes(newcomer: Newcomer) -> None:
    phone = await newcomer.open(newcomer.phone)
    till = await newcomer.sign_in("/till/")
    await phone.click("#step-friend .action")
    await stamp(phone, till)
    await add_to_wallet(phone, "add-apple")
    settings = await newcomer.sign_in("/merchant/", PHONE)

    await settings.click("a[href*='/merchant/cards/']")
    await settings.fill("input[name=name]", "あおぞらカード")
    await settings.fill("input[name=goal]", "8")
    await publish(settings)

    pass_view = phone.locator("#wallet-shelf")
    await expect(pass_view).to_contain_text("1/8")
    await phone.fill("#chat-text", "カード")
    await phone.click("#chat-send")
    await expect(phone.locator("#chat-lines")).to_contain_text("あおぞらカード")
    await expect(phone.locator("#chat-lines")).to_contain_text("8個中1個")
    assert newcomer.troubles == []


async def test_nothing_hangs_over_the_edge_of_a_small_phone(newcomer: Newcomer) -> None:
    pages = [
        await newcomer.open(newcomer.phone, PHONE),
        await newcomer.open(f"{newcomer.service}/j/aozora/coffee", PHONE),
        await newcomer.sign_in("/till/", PHONE),
        await newcomer.sign_in("/merchant/", PHONE),
    ]
    await pages[-1].click("a[href*='/merchant/cards/']")

    for page in pages:
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], page.url


async def stamp(phone: Page, till: Page, stamps: int = 1) -> None:
    """The till shows a code; the customer scans it and presses send."""
    await till.click(f"form.numbers button[value='{stamps}']")
    await expect(till.locator(".waiting .digits b")).to_be_visible()
    await phone.click("[data-do=camera] >> visible=true >> nth=0")
    await phone.click(".finder-code")
    await phone.click("#chat-send")
    await expect(till.locator(".result.done")).to_be_visible()


async def add_to_wallet(phone: Page, button: str) -> None:
    """Tap the newest card's wallet button, then one of the two wallets."""
    await phone.locator("#chat-lines").get_by_text("Wallet").last.click()
    await phone.click(f"[data-do={button}]")


async def publish(settings: Page) -> None:
    """Save and publish what stands in the form."""
    await settings.click("button[value=publish]")
    await settings.click("form[action$='/publish'] button")
    await expect(settings.locator("[role=status]").first).to_be_visible()
