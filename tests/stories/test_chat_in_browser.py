"""What a customer does in the chat and on the pages it leads to, in a real browser."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from tests.stories.test_demo_in_browser import (
    CHROMIUM,
    PHONE,
    Newcomer,
    newcomer,  # noqa: F401 -- a fixture
    stamp,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM IS NOT INSTALLED")


async def say(phone: Page, text: str) -> None:
    """Write something and send it."""
    await phone.fill("#chat-text", text)
    await phone.click("#chat-send")


async def press(phone: Page, label: str) -> None:
    """Press the newest button of the chat with this label."""
    await phone.locator("#chat-lines").get_by_text(label, exact=True).last.click()


async def no_wider_than_the_phone(page: Page) -> None:
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], page.url


async def test_a_reward_is_used_in_front_of_staff(
    newcomer: Newcomer,  # noqa: F811 -- the fixture
) -> None:
    phone = await newcomer.open(newcomer.phone)
    till = await newcomer.sign_in("/till/", {"width": 1024, "height": 768})
    await phone.click("#step-friend .action")
    await stamp(phone, till, stamps=10)

    # Staff stand at the till: the answer waits for them, and says that it was used.
    chat = phone.locator("#chat-lines")
    await say(phone, "特典")
    await press(phone, "使う")
    await till.click("form[action$='/confirm'] button")
    await expect(chat).to_contain_text("使いました")
    opens = chat.get_by_text("時計の動く画面を開く", exact=True)
    await expect(opens).to_have_count(0)

    # Whoever writes something else meanwhile gets the ticket instead, with a live page.
    await say(phone, "特典")
    await expect(chat.get_by_text("使う", exact=True)).to_have_count(3)
    await press(phone, "使う")
    await expect(till.locator("form[action$='/confirm'] button")).to_be_visible()
    await say(phone, "カード")
    await expect(opens).to_have_count(1)
    async with phone.expect_popup() as opening:
        await press(phone, "時計の動く画面を開く")
    ticket = await opening.value
    await ticket.set_viewport_size(PHONE)
    await expect(ticket.locator(".use.waiting .no")).to_contain_text("No.")
    clock = await ticket.locator(".clock").inner_text()
    # It goes by itself.
    await expect(ticket.locator(".clock")).not_to_have_text(clock)
    await no_wider_than_the_phone(ticket)

    await till.click("form[action$='/confirm'] button")
    await expect(ticket.locator(".use.done h2")).to_have_text("使用済み")
    await expect(ticket.locator(".clock")).to_have_count(0)
    # Both rewards are used: the newest list has none.
    await say(phone, "特典")
    await expect(chat).to_contain_text("いま使える特典はありません")
    assert newcomer.troubles == []


async def test_staff_scan_the_member_code_and_the_page_shows_the_stamp(
    newcomer: Newcomer,  # noqa: F811 -- the fixture
) -> None:
    phone = await newcomer.open(newcomer.phone)
    till = await newcomer.sign_in("/till/", {"width": 1024, "height": 768})
    await phone.click("#step-friend .action")
    await expect(phone.locator("#chat-lines")).to_contain_text("10個中0個")
    await say(phone, "会員証")
    async with phone.expect_popup() as opening:
        await press(phone, "会員証(QRコード)を開く")
    page = await opening.value
    await page.set_viewport_size(PHONE)
    await expect(page.locator(".qr svg")).to_be_visible()
    await no_wider_than_the_phone(page)

    # What the camera of a till sees of the phone.
    seen = Image.open(BytesIO(await page.screenshot()))
    (code,) = zxingcpp.read_barcodes(seen)
    assert re.fullmatch(r"http://localhost:\d+/c/M\w{15}", code.text)
    await till.goto(f"{newcomer.service}/till/find?q={code.text}")
    await till.wait_for_url(re.compile("/c/"))
    await till.click("form[action$='/stamps'] button")
    await expect(page.locator(".given")).to_contain_text("スタンプ+1")
    await expect(page.locator(".cards li")).to_contain_text("1 / 10")
    assert newcomer.troubles == []


async def test_a_card_without_line_is_linked_from_its_page(
    newcomer: Newcomer,  # noqa: F811 -- the fixture
) -> None:
    phone = await newcomer.open(newcomer.phone)
    await phone.click("#step-friend .action")
    await expect(phone.locator("#chat-lines")).to_contain_text("10個中0個")
    page = await newcomer.open(f"{newcomer.service}/j/aozora/coffee", PHONE)
    await page.click("button[value=page]")
    await page.wait_for_url(re.compile("/w/"))

    await page.click("form[action*='/link'] button")
    words = await page.locator(".words").inner_text()
    assert words.startswith("連携 ")
    await no_wider_than_the_phone(page)
    await say(phone, words)
    await press(phone, "まとめる")
    await expect(phone.locator("#chat-lines")).to_contain_text("ひとつにまとめました")
    await page.click("text=カードのページへ戻る")
    await expect(page.locator("form[action*='/link']")).to_have_count(0)

    await say(phone, "退会")
    await press(phone, "退会する")
    await expect(phone.locator("#chat-lines")).to_contain_text("手続きが終わりました")
    assert newcomer.troubles == []
