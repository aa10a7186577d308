"""What is printed and how a card lives, by hand in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.printed import make_printed_code
from core.actions.publish import load_program
from core.actions.receipts import list_batches, make_receipts, revoke_receipts
from core.rules.asking import StampAsk
from core.rules.types import Expiry
from tests.builders import build_shop, coffee, person
from tests.passes.pdf_pages import read_pages
from tests.webhooks.browsers import CHROMIUM, settings_page

CODES = "/merchant/codes"

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture
async def shop(db, vault, clock):
    """A shop with long names, and with a card that ends."""
    design = coffee(
        name="とても長い名前のコーヒーとお菓子のカード",
        expires=Expiry(kind="after_last", months=12),
    )
    built = await build_shop(db, vault, clock.now(), design=design)
    [card] = await db.write(follow, built.merchant.id, person(), "f", clock.now())
    ask = StampAsk(merchant_id=built.merchant.id, key="s", how="api", card_id=card)
    await db.write(grant_stamps, ask, clock.now())
    return built


@pytest.fixture
async def busy(db, clock, shop):
    """Codes of every kind and in every state."""
    long = "駅前商店街の入り口から三軒目、青い屋根の二号店🌸WonderfulWonderfulStreet"
    file = MerchantFile(
        merchant={"key": "aozora"}, shops=({"key": "second", "name": long},)
    )
    await db.write(apply_merchant, file, {}, clock.now())
    told = {
        "merchant_id": shop.merchant.id,
        "program_key": "coffee",
        "now": clock.now(),
    }
    for key, radius in (("main", 300), ("second", None)):
        await db.write(
            make_printed_code,
            **told,
            shop_key=key,
            stamps=2,
            radius_m=radius,
            staff_id=shop.owner.id,
        )
    for key, name in (("main", "秋のキャンペーン" * 7), ("second", "")):
        batch = await db.write(
            make_receipts,
            **told,
            shop_key=key,
            stamps=50,
            count=30,
            name=name,
            until=None,
            by=shop.owner,
            key=key,
        )
    await db.write(revoke_receipts, shop.merchant.id, batch.id, shop.owner, clock.now())
    return shop


def life_of(shop, query=""):
    return f"/merchant/cards/{shop.program.id}/life{query}"


@pytest.mark.parametrize("language", ["ja-JP", "en-GB"])
@pytest.mark.parametrize("width", [320, 375, 1280])
async def test_nothing_sticks_out_and_everything_has_a_name(
    db, settings, clock, busy, width, language
):
    async with settings_page(
        db, settings, clock, CODES, width=width, locale=language
    ) as page:
        for path in (CODES, life_of(busy), life_of(busy, "?months=24")):
            await page.goto(page.url.partition("/merchant")[0] + path)
            for summary in await page.locator(".sure > summary").all():
                await summary.click()
            too_wide = "document.documentElement.scrollWidth > innerWidth"
            assert not await page.evaluate(too_wide), path
            nameless = await page.evaluate(
                """[...document.querySelectorAll("input, select, button, summary, a")]
                .filter((e) => e.type !== "hidden" && !e.labels?.length
                  && !e.getAttribute("aria-label") && !e.textContent.trim())
                .map((e) => e.outerHTML)"""
            )
            assert nameless == []


async def test_a_code_is_made_printed_and_revoked_by_hand(
    db, settings, clock, shop, tmp_path: Path
):
    async with settings_page(db, settings, clock, CODES, width=375) as page:
        await page.fill("#printed-stamps", "3")
        await page.press("#printed-stamps", "Enter")
        await expect(page.locator(".done")).to_contain_text("コードを作りました")
        await expect(page.locator(".done")).to_be_in_viewport()
        row = page.locator("section:has(#h-printed) .rows > li")
        await expect(row).to_contain_text("スタンプ3個")
        async with page.expect_download() as coming:
            await row.get_by_text("A4 (PDF)").click()
        file = tmp_path / "poster.pdf"
        await (await coming.value).save_as(file)
        [poster] = read_pages(file.read_bytes())
        [text] = poster.codes(150)
        assert text.startswith("https://line.me/R/oaMessage/%40aozora/?STAMP%20")

        button = row.get_by_role("button", name="このコードを取り消す")
        await expect(button).to_be_hidden()
        await row.locator("summary").click()
        await button.click()
        await expect(page.locator(".done")).to_contain_text("取り消しました")
        await expect(row).to_contain_text("掲示中のコードはありません")


async def test_what_is_wrong_is_in_view_and_then_a_batch_is_made(
    db, settings, clock, shop
):
    async with settings_page(db, settings, clock, CODES, width=375) as page:
        await page.fill("#receipts-count", "1001")
        await page.press("#receipts-count", "Enter")
        wrong = page.locator("#p-count")
        await expect(wrong).to_be_visible()
        await expect(page.locator("#new-receipts")).to_be_in_viewport()
        await page.fill("#receipts-count", "24")
        await page.dblclick("section:has(#h-receipts) form.stack:last-of-type .button")
        await expect(page.locator(".done")).to_contain_text(
            "レシートコードを作りました"
        )
    [batch] = await db.read(list_batches, shop.merchant.id)
    assert batch.n_codes == 24


async def test_a_card_is_lengthened_and_archived_by_hand(db, settings, clock, shop):
    async with settings_page(db, settings, clock, life_of(shop), width=375) as page:
        await page.fill("#months", "24")
        await page.press("#months", "Enter")
        await page.get_by_role("button", name="1枚を2028/11/23まで延長する").click()
        await expect(page.locator(".done")).to_contain_text("カード1枚の有効期限")

        await page.locator("summary", has_text="アーカイブする").click()
        await page.get_by_role("button", name="アーカイブする").click()
        await expect(page.locator(".done")).to_contain_text("アーカイブしました")
        await page.locator("header .home").click()
        await page.get_by_text("アーカイブしたカード 1件").click()
        await page.locator(".programs a").click()
        await expect(page.locator(".state-now")).to_contain_text("アーカイブ済み")
    program = await db.read(load_program, shop.merchant.id, shop.program.id)
    assert program.state == "archived"
