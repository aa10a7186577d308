"""A full card leads to its rank-up card: in the chat, on pages and at the till."""

from __future__ import annotations

import re

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import find_cards, load_card
from core.actions.grant import grant_stamps
from core.rules.asking import StampAsk
from core.rules.types import Limit, Reward, Spend
from tests.bot.line_house import LineHouse, texts_in
from tests.builders import build_shop, coffee
from tests.webhooks.rooms import Staff, serve_rooms

SILVER = coffee(
    goal=3,
    limit=Limit(),
    next_program="gold",
    rewards=(Reward(at=3, name="コーヒー1杯"),),
)
GOLD = coffee(
    name="ゴールドカード",
    goal=20,
    limit=Limit(),
    rewards=(Reward(at=20, name="ケーキ"),),
)


@pytest.fixture
async def shop(db, vault, clock):
    """あおぞら珈琲 with a card of three stamps that leads to a golden one."""
    found = await build_shop(db, vault, clock.now(), design=SILVER)
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "info@example.jp",
            "languages": ["ja", "en"],
        },
        programs=(("coffee", SILVER), ("gold", GOLD)),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    return found


@pytest.fixture
async def house(settings, db, shop, clock, vault, links):
    found = LineHouse(settings, db, shop, clock, vault, links)
    await found.start()
    found.run()
    yield found
    await found.stop()


async def scan(house: LineHouse, person: str, stamps: int = 1):
    code = await house.shop.till_code(house.clock.now(), stamps)
    return await house.ask(person, f"STAMP {code.code}")


async def test_the_chat_shows_the_new_card_first_and_then_no_more_the_old(house):
    mika = house.friend()
    leading = await scan(house, mika, 2)
    assert "3個中2個 あと1個" in texts_in(leading)

    message = await scan(house, mika, 2)

    title = (
        "おめでとうございます！ゴールドカードが始まりました\nスタンプ2個を付与しました"
    )
    assert message["altText"].startswith(title)
    new, old = message["contents"]["contents"]
    assert texts_in(new)[0] == title
    assert "20個中1個 あと19個" in texts_in(new)
    assert "「ゴールドカード」が始まりました。スタンプはそちらにたまります" in texts_in(
        old
    )

    # The reward is still there to be used, so both are shown; the next one counts on.
    assert "ゴールドカード" in (await house.ask(mika, "カード"))["altText"]
    assert "20個中2個 あと18個" in texts_in(await scan(house, mika))


async def cards_of(db, shop, clock, person):
    return await db.read(find_cards, shop.merchant.id, clock.now(), line_user_id=person)


async def test_the_card_page_leads_on_to_the_new_card(
    house, db, settings, clock, shop, links
):
    mika = house.friend()
    await scan(house, mika, 3)
    old, gold = await cards_of(db, shop, clock, mika)
    async with serve_rooms(db, settings, clock) as client:
        path = links.wallet(old.card.id).removeprefix("https://stamps.example.jp")
        page = await (await client.get(path)).text()
        assert "「ゴールドカード」が始まりました" in page
        onward = re.search(r'href="(/w/[^"]+/next)"', page)
        answer = await client.get(onward[1])
        assert "ゴールドカード" in await answer.text()
        # A card that led nowhere leads to itself.
        path = links.wallet(gold.card.id).removeprefix("https://stamps.example.jp")
        page = await (await client.get(path)).text()
        assert "/next" not in page
        answer = await client.get(f"{path}/next")
        assert answer.url.path == path
        assert (await client.get("/w/nonsense/next")).status == 404


async def test_a_stamp_on_the_old_card_goes_to_the_new_one_and_can_be_taken_back(
    house, db, settings, clock, shop
):
    mika = house.friend()
    await scan(house, mika, 3)
    old, gold = await cards_of(db, shop, clock, mika)
    async with serve_rooms(db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        page = await staff.get(f"/c/{old.card.code}")
        assert "「ゴールドカード」が始まりました" in page

        page = await staff.post(f"/till/cards/{old.card.code}/stamps", {"n": "1"})

        assert "付与しました" in page
        assert "<b>1</b> / 20" in page
        found = re.search(
            r'action="([^"]+/undo)".*?name="entry" value="([^"]+)"', page, re.DOTALL
        )
        page = await staff.post(found[1], {"entry": found[2]})
        assert "取り消しました" in page
    view = await db.read(load_card, shop.merchant.id, gold.card.id, clock.now())
    assert view.card.balance == 0


async def test_a_purchase_below_one_stamp_is_answered_with_what_is_missing(
    db, settings, vault, clock
):
    shop = await build_shop(
        db, vault, clock.now(), design=coffee(limit=Limit(), spend=Spend(per=500))
    )
    async with serve_rooms(db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        answer = await client.post(
            "/j/aozora/coffee", data={"token": await token_of(client)}
        )
        assert "あと¥500で1個" in await answer.text()
        path = answer.url.path
        number = re.search(r"\d{4}-\d{4}", await (await client.get(path)).text())
        [view] = await db.read(
            find_cards, shop.merchant.id, clock.now(), member_no=number[0]
        )
        ask = StampAsk(
            merchant_id=shop.merchant.id,
            key="pos:1",
            how="api",
            card_id=view.card.id,
            amount=180,
        )
        await db.write(grant_stamps, ask, clock.now())

        assert "あと¥320で1個" in await (await client.get(path)).text()
        assert "あと¥320で1個" in await staff.get(f"/c/{view.card.code}")


async def token_of(client) -> str:
    page = await (await client.get("/j/aozora/coffee")).text()
    return re.search(r'name="token" value="([^"]+)"', page)[1]
