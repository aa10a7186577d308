"""One tap on the poster's page in a real browser: into the wallet, the card behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, async_playwright, expect
from sqlalchemy import func, select

from core.store.tables import card
from jobs.demo.pass_file import open_pass
from tests.passes.apple_chain import connect_apple
from tests.passes.badge_files import put_badges
from tests.webhooks.browsers import CHROMIUM, PHONE
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_customer import connect_google
from tests.webhooks.test_phones import AGENTS

IPHONE, PIXEL = AGENTS["iPhone Safari"][0], AGENTS["Pixel Chrome"][0]
LINE_IPHONE = AGENTS["iPhone LINE"][0]
MACBOOK = AGENTS["Mac Safari"][0]
JOIN = "/j/aozora/coffee"

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM IS NOT INSTALLED"),
]


@asynccontextmanager
async def phone(
    db, settings, clock, agent=IPHONE, *, locale="ja-JP", size=PHONE, script=True
) -> AsyncIterator[Page]:
    """A phone's browser at the service; an error in a script fails the test."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    troubles: list[str] = []
    async with serve_rooms(db, plain, clock) as client, async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        page = await browser.new_page(
            base_url=str(client.make_url("/")).rstrip("/"),
            locale=locale,
            viewport=size,
            user_agent=agent,
            java_script_enabled=script,
        )
        page.on("pageerror", lambda error: troubles.append(str(error)))
        yield page
        await browser.close()
    assert troubles == []


@pytest.fixture
async def wallets(shop, vault, clock, settings):
    """Both wallets are connected, and the operator has put the badges."""
    await connect_apple(shop, vault, clock.now())
    await connect_google(shop, vault, clock, "{}")
    await asyncio.to_thread(put_badges, settings.data_dir)


async def count(db):
    return await db.read(
        lambda tx: tx.execute(select(func.count()).select_from(card)).scalar_one()
    )


async def test_one_tap_on_an_iphone_hands_over_the_pass_and_leaves_the_card(
    db, settings, clock, shop, wallets
):
    async with phone(db, settings, clock) as page:
        await page.goto(JOIN)
        async with page.expect_download() as passing:
            await page.get_by_role("button", name="Apple Walletに追加").click()
        handed = await passing.value
        path = Path(await handed.path())
        info = open_pass(await asyncio.to_thread(path.read_bytes))

        await expect(page.locator(".told")).to_contain_text("カードができました")
        number = await page.locator(".number").inner_text()
        assert info.info["barcodes"][0]["altText"] in number
        assert "add=" not in page.url

        # Loaded again, it is the card, and no second pass comes by itself.
        await page.reload()
        await expect(page.locator(".told")).to_have_count(0)
        await expect(page.locator(".number")).to_have_text(number)
        # And the poster knows this phone.
        await page.goto(JOIN)
        await page.click("text=お持ちのカードを開く")
        await expect(page.locator(".number")).to_have_text(number)
    assert await count(db) == 1


async def test_where_the_pass_cannot_be_made_the_card_says_so_and_is_there(
    db, settings, clock, shop, wallets
):
    """Google's key is none here."""
    async with phone(db, settings, clock, PIXEL) as page:
        await page.goto(JOIN)
        await page.get_by_role("button", name="Google ウォレットに追加").click()
        said = page.locator(".told.bad")
        await expect(said).to_contain_text("いまGoogle ウォレットにつながりません")
        await expect(page.locator(".count")).to_contain_text("0 / 10")
        await expect(page.locator(".number")).to_be_visible()

        await page.click("text=English")
        await expect(page.locator(".told")).to_have_count(0)
        await expect(page.locator(".count")).to_contain_text("0 / 10")
    assert await count(db) == 1


async def test_google_opens_over_the_card_and_back_opens_it_no_second_time(
    db, settings, clock, shop, wallets
):
    asked: list[str] = []

    async def google(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(body="<h1>Google</h1>", content_type="text/html")

    async with phone(db, settings, clock, PIXEL) as page:
        await page.route("**/w/*/google", google)
        await page.goto(JOIN)
        await page.get_by_role("button", name="Google ウォレットに追加").click()
        await expect(page.locator("h1")).to_have_text("Google")
        await page.go_back()
        await expect(page.locator(".shop h1")).to_have_text("コーヒーカード")
        await expect(page.locator(".told")).to_have_count(0)
    assert len(asked) == 1


async def test_without_scripts_it_is_one_tap_more(db, settings, clock, shop, wallets):
    async with phone(db, settings, clock, script=False) as page:
        await page.goto(JOIN)
        await page.get_by_role("button", name="Apple Walletに追加").click()
        await expect(page.locator(".told")).to_contain_text("下のボタン")
        async with page.expect_download():
            await page.get_by_role("link", name="Apple Walletに追加").click()


async def test_out_of_lines_browser_before_there_is_a_card(
    db, settings, clock, shop, wallets
):
    async with phone(db, settings, clock, LINE_IPHONE) as page:
        await page.goto(JOIN)
        await expect(page.locator("form")).to_have_count(0)
        out = page.get_by_role("link", name="Apple Walletに追加")
        target = await out.get_attribute("href")
    assert await count(db) == 0
    assert target == f"{JOIN}?openExternalBrowser=1&lang=ja"
    # What LINE then has the phone's browser open: one tap, one card.
    async with phone(db, settings, clock) as page:
        await page.goto(target)
        async with page.expect_download():
            await page.get_by_role("button", name="Apple Walletに追加").click()
    assert await count(db) == 1


@pytest.mark.parametrize("locale", ["ja-JP", "en-US"])
@pytest.mark.parametrize("agent", [IPHONE, PIXEL])
async def test_the_badges_are_as_their_owners_want_them(
    db, settings, clock, shop, wallets, agent, locale
):
    """Unaltered, at least 48 high, with room, and no neighbour is larger."""
    async with phone(db, settings, clock, agent, locale=locale) as page:
        await page.goto(JOIN)
        badge = page.locator(".wallet-badge img")
        box = await badge.bounding_box()
        width, height = await badge.evaluate("e => [e.naturalWidth, e.naturalHeight]")
        assert abs(box["width"] / box["height"] - width / height) < 0.05
        assert box["height"] >= 48
        for other in await page.locator(
            "a.button, form button:not(.wallet-badge)"
        ).all():
            beside = await other.bounding_box()
            assert beside["height"] <= box["height"]
            gap = max(
                beside["y"] - box["y"] - box["height"],
                box["y"] - beside["y"] - beside["height"],
            )
            assert gap >= 8
        assert await page.evaluate("document.documentElement.scrollWidth") <= 375
        [source] = await page.locator(".wallet-badge img").evaluate_all(
            "all => all.map(e => e.getAttribute('src'))"
        )
        assert source.endswith(f".{locale[:2]}.svg")
