"""Screenshot protection in a real browser: switch, customer's pages and till."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from core.links import Links
from tests.webhooks.browsers import CHROMIUM, till_browser
from tests.webhooks.test_changing_code import codes_of, shop, view
from tests.webhooks.test_merchant_browser import editor

__all__ = ["shop", "view"]

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

WIDTHS = [320, 375, 1280]
LOCALES = ["ja-JP", "en-US"]


async def sticks_out(page: Page) -> bool:
    return bool(
        await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    )


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_switch_says_what_it_does_and_the_preview_follows(
    db, settings, clock, shop, width
):
    async with editor(db, settings, clock, shop, width) as page:
        note = page.locator(".face-google .changing")
        if width < 1000:
            await page.locator("label[for='tab-google']").click()
        await expect(note).to_be_visible()
        await page.locator("details.more summary").click()
        box = page.get_by_role("checkbox", name="30秒ごとに変える")
        await expect(box).to_be_checked()
        await expect(page.get_by_text("Apple Walletにはこの機能がなく")).to_be_visible()
        assert not await sticks_out(page)
        await box.uncheck()
        await expect(note).to_have_count(0)
        await page.get_by_role("button", name="English").click()
        await page.locator("details.more summary").click()
        await expect(page.get_by_text("Apple Wallet has no such thing")).to_be_visible()
        assert not await sticks_out(page)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_the_card_page_leads_to_the_code_that_changes(
    db, settings, clock, vault, view, width, locale
):
    size = {"width": width, "height": 780}
    path = Links(vault, "", clock).wallet(view.card.code)
    async with till_browser(db, settings, clock, size=size, locale=locale) as till:
        context = await till.page.context.browser.new_context(
            base_url=till.url, locale=locale, viewport=size
        )
        page = await context.new_page()
        await page.goto(f"{path}?openExternalBrowser=1")
        way = page.locator("a[href*='/code']")
        await expect(way).to_be_visible()
        assert not await sticks_out(page)
        # The demo's own address of the service is another: only the path counts here.
        member = await page.request.get(
            await way.get_attribute("href"), max_redirects=0
        )
        await page.goto("/m/" + member.headers["location"].rpartition("/m/")[2])
        await expect(page.locator(".code .qr svg")).to_be_visible()
        await page.goto(f"/c/{view.card.code}")
        await expect(page.locator("main svg")).to_have_count(0)
        assert not await sticks_out(page)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("width", [375, 1024])
async def test_the_till_refuses_a_picture_and_takes_the_next_code(
    db, settings, clock, vault, shop, view, width, locale
):
    code = await codes_of(db, vault, clock, shop, view)
    size = {"width": width, "height": 780}
    async with till_browser(db, settings, clock, size=size, locale=locale) as till:
        page, old = till.page, code()
        clock.move(minutes=2)
        await type_code(page, f"https://stamps.example.jp/c/{old}")
        await expect(page.get_by_role("alert")).to_contain_text(
            "いま出ているコード"
            if locale == "ja-JP"
            else "on the customer's screen now"
        )
        assert not await sticks_out(page)
        await type_code(page, code())
        await expect(page).to_have_url(f"{till.url}/c/{view.card.code}")


async def type_code(page: Page, text: str) -> None:
    """As a scanner does."""
    box = page.locator("form.scan input[name=q]")
    await box.fill(text)
    await box.press("Enter")


async def test_without_network_the_code_is_kept_and_sent_once(
    db, settings, clock, vault, shop, view
):
    code = await codes_of(db, vault, clock, shop, view)
    async with till_browser(db, settings, clock) as till:
        page = till.page
        await page.context.set_offline(True)
        await type_code(page, f"https://stamps.example.jp/c/{code()}")
        dialog = page.locator("[data-late]")
        await expect(dialog).to_be_visible()
        await dialog.get_by_role("button", name="スタンプ1個をあとで送る").click()
        await expect(dialog.locator("[data-done]")).to_contain_text(view.face.member_no)
        await page.context.set_offline(False)
        await expect(page.get_by_text("あとから付けたスタンプ")).to_be_visible()
