"""Finding a customer at the till by what staff hear: a name, or part of a number."""

from __future__ import annotations

import html
import re

import pytest

from core.actions.cards import load_card
from core.actions.erase import erase_customer
from core.actions.join import open_card
from core.actions.link import link_customers
from core.store.customers import update_customer
from tests.builders import build_shop
from tests.webhooks.rooms import Staff, serve_rooms
from tests.webhooks.test_till_undo import give


@pytest.fixture
async def staff(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as client:
        found = Staff(client)
        await found.sign_in("clerk@aozora.jp")
        yield found


async def open_for(db, shop, clock, name, number=None):
    """A card of a customer with this name, and with this member number."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=f"open:{name}:{number}",
        now=clock.now(),
        name=name,
    )
    where = (shop.merchant.id, card_id, clock.now())
    view = await db.read(load_card, *where)
    if number is not None:
        await db.write(
            update_customer, shop.merchant.id, view.customer.id, member_no=number
        )
    return await db.read(load_card, *where)


async def find(staff, text):
    """Where it leads to, and the page."""
    answer = await staff.client.get("/till/find", params={"q": text})
    return answer.url.path, html.unescape(await answer.text())


def names(page):
    return re.findall(r"<b>([^<]*)さん</b>", page)


async def test_a_name_that_begins_so_opens_the_card(staff, db, shop, clock):
    view = await open_for(db, shop, clock, "山田 太郎")
    await open_for(db, shop, clock, "川口 山子")
    for text in ("山田", "山", "太郎", "山田 太", "山田　太郎", " 山田 "):
        path, page = await find(staff, text)
        if text == "山":
            assert set(names(page)) == {"山田 太郎", "川口 山子"}
        else:
            assert path == f"/c/{view.card.code}", text
            assert "スタンプを1個付ける" in page
    _, page = await find(staff, "田")
    assert "見つかりません" in page


async def test_letters_are_found_in_any_case_and_width(staff, db, shop, clock):
    view = await open_for(db, shop, clock, "Ann　Lee")
    for text in ("ann", "ANN", "Ａｎｎ", "lee", "ann lee"):
        path, _ = await find(staff, text)
        assert path == f"/c/{view.card.code}", text


async def test_the_beginning_of_a_member_number_is_enough(staff, db, shop, clock):
    view = await open_for(db, shop, clock, "太郎", "4821-9301")
    await open_for(db, shop, clock, "次郎", "4829-0000")
    for text in ("4821", "48219", "4821-93", "４８２１", "4821 9", "4821ー9"):
        path, _ = await find(staff, text)
        assert path == f"/c/{view.card.code}", text
    _, page = await find(staff, "482")
    assert sorted(names(page)) == ["太郎", "次郎"]
    _, page = await find(staff, "9301")
    assert "見つかりません" in page


async def test_of_several_the_last_who_came_is_first_with_what_helps_to_tell(
    staff, db, shop, clock
):
    await open_for(db, shop, clock, "田中 一", "1000-0001")
    clock.move(days=1)
    two = await open_for(db, shop, clock, "田中 二", "1000-0002")
    await give(staff, two, 3)
    clock.move(days=1)
    _, page = await find(staff, "田中")
    assert names(page) == ["田中 二", "田中 一"]
    for words in ("3 / 10", "前回 11/24 15:00", "はじめて", "1000-0002"):
        assert words in page


async def test_twenty_are_shown_and_more_are_told_of(staff, db, shop, clock):
    for n in range(21):
        await open_for(db, shop, clock, f"佐藤 {n}")
    _, page = await find(staff, "佐藤")
    assert len(names(page)) == 20
    assert "ほかにもいらっしゃいます" in page


@pytest.mark.parametrize("text", ["%", "_", "花%", "_子", "\\", "'", "\x00花"])
async def test_signs_of_the_database_mean_themselves(staff, db, shop, clock, text):
    await open_for(db, shop, clock, "花子")
    path, page = await find(staff, text)
    assert path == "/till/find"
    assert "見つかりません" in page


async def test_who_left_or_was_linked_is_not_found_twice(staff, db, shop, clock):
    gone = await open_for(db, shop, clock, "鈴木 一")
    old = await open_for(db, shop, clock, "鈴木 二")
    new = await open_for(db, shop, clock, "鈴木 三")
    await db.write(
        link_customers,
        merchant_id=shop.merchant.id,
        from_id=old.customer.id,
        to_id=new.customer.id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    await db.write(
        erase_customer,
        merchant_id=shop.merchant.id,
        customer_id=gone.customer.id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    stays = await db.read(load_card, shop.merchant.id, new.card.id, clock.now())
    path, _ = await find(staff, "鈴木")
    assert path == f"/c/{stays.card.code}"


async def test_another_merchants_customer_is_not_found(staff, db, vault, clock):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    await open_for(db, other, clock, "花子", "4821-9301")
    for text in ("花子", "4821"):
        _, page = await find(staff, text)
        assert "見つかりません" in page
