"""A POS that knows its customers by ids of its own: one person, whatever happens."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.join import follow
from core.actions.link import link_people, make_link_code
from core.store.tables import card as card_table
from core.store.tables import customer
from tests.builders import build_shop, coffee, person
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_api import Pos, a_card


@pytest.fixture
async def pos(db, settings, clock, shop):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲"},
        programs=(("tea", coffee(name="紅茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    async with serve_rooms(db, settings, clock) as client:
        yield Pos(client, shop.api_key)


async def count(db, table):
    statement = select(func.count()).select_from(table)
    return await db.read(lambda tx: tx.execute(statement).scalar())


async def test_a_known_customer_gets_the_card_that_is_there(pos, db):
    first = await a_card(pos, external_id="pos-1", name="太郎")
    again = await a_card(pos, external_id="pos-1", name="だれか")

    assert again["id"] == first["id"]
    assert again["customer"]["name"] == "太郎"
    assert await count(db, customer) == 1


async def test_another_program_is_another_card_of_the_same_customer(pos, db):
    coffee_card = await a_card(pos, external_id="pos-1")
    _, tea = await pos.post("/cards", {"program": "tea", "external_id": "pos-1"})

    assert tea["id"] != coffee_card["id"]
    assert tea["customer"]["id"] == coffee_card["customer"]["id"]
    assert tea["customer"]["external_id"] == "pos-1"
    _, found = await pos.get("/cards?external_id=pos-1")
    assert [each["id"] for each in found["cards"]] == [coffee_card["id"], tea["id"]]


async def test_without_an_id_each_call_is_somebody_new(pos, db):
    assert (await a_card(pos))["id"] != (await a_card(pos))["id"]
    assert await count(db, customer) == 2


async def test_twenty_calls_at_once_make_one_customer_and_one_card(pos, db):
    cards = await asyncio.gather(*(a_card(pos, external_id="pos-1") for _ in range(20)))

    assert len({each["id"] for each in cards}) == 1
    assert await count(db, customer) == 1
    assert await count(db, card_table) == 1


async def test_the_id_of_another_merchants_customer_is_somebody_else(
    pos, db, vault, clock
):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    mine = await a_card(pos, external_id="pos-1")
    theirs = await a_card(Pos(pos.client, other.api_key), external_id="pos-1")

    assert mine["customer"]["id"] != theirs["customer"]["id"]


async def test_a_customer_who_was_linked_to_line_keeps_the_id(pos, db, shop, clock):
    merchant, now = shop.merchant.id, clock.now()
    wallet = await a_card(pos, external_id="pos-1")
    await pos.post(f"/cards/{wallet['id']}/stamps", {"n": 3})
    await db.write(follow, merchant, person(), "f", now)
    made = await db.write(make_link_code, merchant, wallet["id"], now)
    await db.write(
        link_people,
        merchant_id=merchant,
        code=made.code,
        person=person(),
        key="link",
        now=now,
    )

    again = await a_card(pos, external_id="pos-1")
    _, found = await pos.get(f"/cards?line_user_id={person().user_id}")
    line = next(each for each in found["cards"] if each["program"] == "coffee")
    assert again["id"] == line["id"] != wallet["id"]
    assert again["balance"] == 3
    _, found = await pos.get("/cards?external_id=pos-1")
    assert line["id"] in [each["id"] for each in found["cards"]]
    assert wallet["id"] not in [each["id"] for each in found["cards"]]
