"""The page of keys and webhooks in a real browser, with all that it can show."""

from __future__ import annotations

import pytest
from aiohttp import web
from playwright.async_api import expect

from core.actions.hooks import ping_hook
from core.actions.join import follow
from tests.builders import person
from tests.jobs.hook_house import consuming, office
from tests.webhooks.browsers import CHROMIUM, settings_page

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


@pytest.mark.parametrize("width", [320, 375, 900, 1280])
async def test_nothing_sticks_out_at_any_width(db, settings, clock, busy, width):
    async with settings_page(db, settings, clock, PAGE, width=width) as page:
        too_wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(too_wide)
        for summary in await page.locator(".sure > summary").all():
            await summary.click()
        assert not await page.evaluate(too_wide)


async def test_every_field_and_button_has_a_name(db, settings, clock, busy):
    async with settings_page(db, settings, clock, PAGE) as page:
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
    async with settings_page(db, settings, clock, PAGE) as page:
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
