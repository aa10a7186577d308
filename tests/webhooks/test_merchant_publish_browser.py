"""The page before publishing in a real browser: choosing by hand, at any width."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from core.actions.cards import load_card
from core.actions.publish import load_program, save_draft
from tests.webhooks.test_merchant_browser import CHROMIUM, editor
from tests.webhooks.test_merchant_publish import SHORTER, built, draft

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


async def test_one_tap_on_the_words_chooses_that_cards_stay(db, vault, settings, clock):
    shop, cards = await built(db, vault, clock, 2, 9)
    await draft(db, shop, clock, SHORTER)
    async with editor(db, settings, clock, shop, 375) as page:
        await page.goto(page.url + "/publish")
        await expect(page.locator("#cards-move")).to_be_checked()
        await page.get_by_text("これから発行するカードだけ").click()
        await expect(page.locator("#cards-keep")).to_be_checked()
        await page.get_by_role("button", name="公開する").click()
        await expect(page.locator(".done")).to_contain_text("これから発行するカード")

    view = await db.read(load_card, shop.merchant.id, cards[1], clock.now())
    assert (view.card.version, view.card.balance) == (1, 9)
    program = await db.read(load_program, shop.merchant.id, shop.program.id)
    assert program.version == 2


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("width", [320, 375, 800, 1000, 1280])
async def test_nothing_sticks_out_and_every_choice_has_its_words(
    db, vault, settings, clock, width, language
):
    shop, _ = await built(db, vault, clock, 2, 6, 9)
    await db.write(
        save_draft, shop.merchant.id, shop.program.id, SHORTER, None, clock.now()
    )
    async with editor(db, settings, clock, shop, width) as page:
        await page.goto(page.url + "/publish")
        if language == "en":
            await page.get_by_role("button", name="English").click()
            await expect(page.locator("h1")).to_have_text("Before you publish")
        assert not await page.evaluate(
            "document.documentElement.scrollWidth > innerWidth"
        )
        boxes = page.get_by_role("radio", include_hidden=False)
        named = await boxes.evaluate_all(
            "all => all.filter((e) => e.name === 'cards').map((e) => e.labels.length)"
        )
        assert named == [1, 1]
