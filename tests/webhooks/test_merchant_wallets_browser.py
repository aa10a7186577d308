"""Connecting the wallets in a real browser, at a phone's width and a desk's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from tests.passes.google_cards import ISSUER
from tests.passes.openssl_apple import openssl_apple
from tests.webhooks.browsers import CHROMIUM, owner_page
from tests.webhooks.wallet_desk import PAGE, WalletDesk, at_wallets

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


@asynccontextmanager
async def signed_in(
    db, settings, clock, width=1280, language="ja-JP"
) -> AsyncIterator[tuple[Page, WalletDesk]]:
    """The owner on the page of a shop without wallets; a quiet console."""
    clock.at = datetime.now(UTC) + timedelta(minutes=1)
    async with (
        at_wallets(db, settings, clock) as at,
        owner_page(at.desk.client, PAGE, width=width, locale=language) as page,
    ):
        await expect(page.locator("#apple-certificate")).to_be_visible()
        yield page, at


def file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def connect(page, at, *, days=395):
    """The whole way: request, certificate, intermediate; issuer and account."""
    apple = openssl_apple()
    await page.locator("#apple button[value=make]").click()
    async with page.expect_download() as download:
        await page.locator("#apple-request a").click()
    path = await (await download.value).path()
    assert (await download.value).suggested_filename == "aozora.certSigningRequest"
    certificate = apple.answer(path.read_bytes(), days=days)
    await page.set_input_files("#apple-certificate", file("pass.cer", certificate))
    await page.locator("#apple .more-files > summary").click()
    await page.set_input_files("#apple-wwdr", file("G4.cer", apple.wwdr_der))
    await page.locator("form[action$='/wallets/apple'] > button").click()
    await expect(page.locator("#trial-apple .state")).to_have_class("state good")
    await page.fill("#issuer-id", ISSUER)
    account = file("account.json", at.google.account.encode())
    await page.set_input_files("#account", account)
    await page.locator("form[action$='/wallets/google'] > button").click()
    await expect(page.locator("#trial-google .state")).to_have_class("state good")


@pytest.mark.parametrize("language", ["ja-JP", "en-US"])
@pytest.mark.parametrize("width", [320, 375, 1280])
async def test_nothing_sticks_out_at_any_width(
    db, settings, clock, shop, width, language
):
    async with signed_in(db, settings, clock, width, language) as (page, at):
        assert not await page.evaluate(TOO_WIDE)
        for name in ("certificate", "key", "wwdr"):
            photo = file("photo.jpg", b"\xff\xd8\xff")
            await page.set_input_files(f"#apple-{name}", photo)
        await page.locator("form[action$='/wallets/apple'] > button").click()
        await expect(page.locator("#p-wwdr")).to_be_visible()
        assert not await page.evaluate(TOO_WIDE)
        await connect_again(page, at)
        for name in ("#apple-change", "#google-change"):
            await page.locator(f"{name} > summary").click()
        assert not await page.evaluate(TOO_WIDE)


async def connect_again(page, at):
    """After an upload that was refused: the page as it was at first."""
    await page.goto(str(at.desk.client.make_url(PAGE)))
    await connect(page, at)


async def test_both_are_connected_tested_and_ended(db, settings, clock, shop):
    async with signed_in(db, settings, clock, 375) as (page, at):
        await connect(page, at, days=20)
        await expect(page.locator("#apple-ends .state")).to_have_class("state warn")
        at.google.stand_in.uninvite(at.google.email)
        await page.locator("#trial-google button").click()
        await expect(page.locator("#trial-google .state")).to_have_class("state bad")
        for wallet in ("apple", "google"):
            ends = page.locator(f"#{wallet} form[action$='/remove']")
            await expect(ends.locator("button")).to_be_hidden()
            await (
                page.locator(f"#{wallet} details.sure").last.locator("summary").click()
            )
            await ends.locator("button").click()
            await expect(page.locator(f"#h-{wallet} .state")).to_be_visible()


async def test_every_field_and_button_has_a_name(db, settings, clock, shop):
    async with signed_in(db, settings, clock) as (page, at):
        await connect(page, at)
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input, button, summary")]
            .filter((e) => e.type !== "hidden" && !e.labels?.length
              && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []
