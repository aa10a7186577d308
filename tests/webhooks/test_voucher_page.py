"""A voucher in front of staff, and the way from a card's page into LINE."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest

from core.actions.apply import apply_channel
from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.link import link_people, preview_link
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    confirm_redemption,
)
from core.links import Links
from core.rules.asking import LinePerson, StampAsk
from core.rules.linking import Linked
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_till import Events

MIKA = LinePerson(user_id="U" + "1" * 32, name="美香", language="ja")
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def links(vault, settings, clock):
    return Links(vault, settings.public_url, clock)


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def view(db, shop, clock):
    """A card without LINE, with two stamps and a voucher."""
    merchant_id, now = shop.merchant.id, clock.now()
    card_id = await db.write(
        open_card, merchant_id=merchant_id, program_key="coffee", key="open", now=now
    )
    ask = StampAsk(
        merchant_id=merchant_id, key="s", how="till", card_id=card_id, stamps=12
    )
    await db.write(grant_stamps, ask, now)
    return await db.read(load_card, merchant_id, card_id, now)


@pytest.fixture
async def asked(db, shop, clock, view):
    """The request to use that voucher."""
    return await db.write(
        ask_redemption,
        merchant_id=shop.merchant.id,
        voucher_id=view.face.vouchers[0].id,
        customer_id=view.customer.id,
        key="use",
        now=clock.now(),
    )


@pytest.fixture
def page(links, shop, asked):
    url = links.use(shop.merchant.id, asked.id)
    return url.removeprefix("https://stamps.example.jp")


async def read(client, path, status=200, **how):
    answer = await client.get(path, **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


async def confirm(db, shop, clock, asked):
    return await db.write(
        confirm_redemption,
        merchant_id=shop.merchant.id,
        redemption_id=asked.id,
        by=shop.owner,
        key="confirm",
        now=clock.now(),
    )


async def test_the_page_shows_the_voucher_its_number_and_a_clock(client, page, view):
    text = await read(client, page)
    voucher = view.face.vouchers[0]
    for shown in ("スタッフにお見せください", voucher.name, f"No.{voucher.number}"):
        assert shown in text
    assert '<p class="clock" aria-hidden="true">15:00:00</p>' in text
    assert "11/23 15:05まで有効" in text
    assert "Please show this to the staff" in await read(client, page, headers=ENGLISH)


async def test_the_clock_goes_and_the_page_turns_once_staff_confirm(
    client, page, db, shop, clock, asked
):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        assert "15:00:00" in await events.next()
        clock.move(seconds=1)
        assert "15:00:01" in await events.next()
        clock.move(seconds=1)
        await confirm(db, shop, clock, asked)
        turned = await events.next()
        assert "使用済み" in turned
        assert "スタッフにお見せください" not in turned
        # It stands still from now on: there is no clock to watch.
        assert 'class="clock"' not in turned
    assert "使用済み" in await read(client, page)


async def test_a_request_that_is_over_says_that_the_reward_is_still_there(
    client, page, db, shop, clock, view, asked
):
    clock.move(minutes=6)
    text = await read(client, page)
    assert "受け付け時間が過ぎました" in text
    assert "特典はそのまま残っています" in text
    assert "The time is up" in await read(client, page, headers=ENGLISH)


async def test_a_cancelled_request_says_so(client, page, db, shop, clock, view, asked):
    await db.write(
        cancel_redemption,
        merchant_id=shop.merchant.id,
        redemption_id=asked.id,
        now=clock.now(),
        customer_id=view.customer.id,
    )
    assert "使うのをやめました" in await read(client, page)


async def test_a_link_that_is_not_ours_or_too_old_shows_nothing(
    client, page, links, clock, shop, asked
):
    for path in (page[:-2], "/v/nothing", f"/v/{links.sign('use', 'm.x')}"):
        assert "見つかりません" in await read(client, path, 404)
        assert "見つかりません" in await read(client, f"{path}/events", 404)
    other = links.sign("wallet", f"{shop.merchant.id}.{asked.id}")
    await read(client, f"/v/{other}", 404)
    clock.move(days=2)
    await read(client, page, 404)


# --- into LINE ------------------------------------------------------------------------


@pytest.fixture
def card_page(links, view):
    return links.wallet(view.card.id).removeprefix("https://stamps.example.jp")


async def press(client, card_page, status=200, **how):
    answer = await client.post(f"{card_page}/link", **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


async def test_the_card_page_gives_a_code_that_links_in_the_chat(
    client, card_page, db, shop, clock
):
    assert f'action="{card_page}/link?lang=ja"' in await read(client, card_page)
    text = await press(client, card_page)
    link = urlsplit(re.search(r'href="(https://line.me/[^"]+)"', text)[1])
    assert link.path == "/R/oaMessage/%40aozora/"
    words = unquote(link.query)
    assert f'<p class="words">{words}</p>' in text
    word, code = words.split()
    assert word == "連携"

    linked = await db.write(
        link_people,
        merchant_id=shop.merchant.id,
        code=code,
        person=MIKA,
        key="k",
        now=clock.now(),
    )
    assert isinstance(linked, Linked)
    # Once is enough: the button is gone, and pressing an old one says why.
    assert "/link" not in await read(client, card_page)
    assert "いまは連携できません" in await press(client, card_page, 409)


async def test_a_second_code_ends_the_first(client, card_page, db, shop, clock):
    codes = [
        re.search(
            r'class="words">link (\w+)<',
            await press(client, card_page, headers=ENGLISH),
        )[1]
        for _ in range(2)
    ]
    first, second = [
        await db.write(preview_link, shop.merchant.id, code, MIKA, clock.now())
        for code in codes
    ]
    assert first.why == "expired_code"
    assert second.sums


async def test_without_line_there_is_nothing_to_link_to(
    client, card_page, db, shop, clock
):
    channel = {
        "channel_id": "1234567890",
        "sealed_secret": "x",
        "sealed_previous_secret": None,
        "bot_user_id": "",
        "basic_id": "",
    }
    await db.write(apply_channel, shop.merchant.id, "line", channel, clock.now())
    assert "/link" not in await read(client, card_page)
    assert "いまは連携できません" in await press(client, card_page, 409)


async def test_another_site_cannot_ask_for_a_code(client, card_page):
    await press(client, card_page, 403, headers={"Origin": "https://evil.example"})
