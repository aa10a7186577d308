"""Stamps by what was paid, and on cards that lead to other ones, as a POS sees them."""

from __future__ import annotations

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import MAX_AT_ONCE
from core.rules.types import DoubleHours, Limit, Reward, Spend
from core.vault import hash_token
from tests.builders import API_KEY, coffee
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_api import Pos, a_card


async def open_shop(db, clock, **designs):
    """A merchant with these designs by their programs' keys."""
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "",
            "languages": ["ja"],
        },
        shops=({"key": "main", "name": "本店", "latitude": None, "longitude": None},),
        programs=tuple(designs.items()),
        api_keys=("pos",),
    )
    await db.write(apply_merchant, file, {"pos": hash_token(API_KEY)}, clock.now())


@pytest.fixture
async def pos(db, settings, clock):
    design = coffee(goal=10, limit=Limit(), spend=Spend(per=500, minimum=300))
    await open_shop(db, clock, coffee=design)
    async with serve_rooms(db, settings, clock) as client:
        yield Pos(client, API_KEY)


async def pay(pos, card, amount, key=None):
    return await pos.post(f"/cards/{card['id']}/stamps", {"amount": amount}, key=key)


async def test_an_amount_gives_stamps_and_the_rest_stays_on_the_card(pos):
    card = await a_card(pos)
    assert (card["remainder"], card["next_card"]) == (0, None)

    status, answer = await pay(pos, card, 1280)
    assert (status, answer["outcome"]) == (200, "granted")
    assert (answer["entry"]["stamps"], answer["entry"]["amount"]) == (2, 1280)
    assert (answer["card"]["balance"], answer["card"]["remainder"]) == (2, 280)

    _, answer = await pay(pos, card, 300)
    assert (answer["entry"]["stamps"], answer["card"]["remainder"]) == (1, 80)

    _, found = await pos.get(f"/cards/{card['id']}/ledger")
    assert [entry["amount"] for entry in found["entries"]] == [300, 1280]


async def test_less_than_a_stamp_is_granted_with_none_and_kept(pos):
    card = await a_card(pos)
    _, answer = await pay(pos, card, 400)

    assert answer["outcome"] == "granted"
    assert (answer["entry"]["stamps"], answer["entry"]["amount"]) == (0, 400)
    assert (answer["card"]["balance"], answer["card"]["remainder"]) == (0, 400)
    _, answer = await pay(pos, card, 400)
    assert (answer["card"]["balance"], answer["card"]["remainder"]) == (1, 300)


async def test_below_the_minimum_is_refused_with_its_reason(pos):
    _, answer = await pay(pos, await a_card(pos), 299)

    assert (answer["outcome"], answer["why"]) == ("refused", "below_minimum")
    assert answer["entry"] is None


async def test_stamps_by_number_still_work_beside_amounts(pos):
    card = await a_card(pos)
    _, answer = await pos.post(f"/cards/{card['id']}/stamps", {"n": 2.0})

    assert (answer["entry"]["stamps"], answer["entry"]["amount"]) == (2, None)


async def test_an_amount_that_cannot_be_meant_is_refused_whole(pos):
    card = await a_card(pos)
    most = MAX_AT_ONCE * 500
    status, problem = await pay(pos, card, most + 1)

    assert (status, problem["code"]) == (422, "invalid")
    assert problem["errors"] == [
        {"pointer": "#/amount", "detail": f"金額は{most}以下で入力してください。"}
    ]
    _, after = await pos.get(f"/cards/{card['id']}")
    assert after["total"] == 0
    assert (await pay(pos, card, most))[1]["entry"]["stamps"] == MAX_AT_ONCE


async def test_the_same_key_is_one_purchase_and_another_amount_is_refused(pos):
    card = await a_card(pos)
    first = await pay(pos, card, 600, key="receipt-1")
    assert await pay(pos, card, 600, key="receipt-1") == first
    for body in ({"amount": 601}, {"n": 600}, {"n": 1}):
        status, problem = await pos.post(
            f"/cards/{card['id']}/stamps", body, key="receipt-1"
        )
        assert status == 422
        assert problem["code"] in {"idempotency_key_reused", "invalid"}
    other = await a_card(pos)
    status, problem = await pay(pos, other, 600, key="receipt-1")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    _, after = await pos.get(f"/cards/{card['id']}")
    assert (after["total"], after["remainder"]) == (1, 100)


async def test_an_amount_is_taken_back_with_its_rest(pos):
    card = await a_card(pos)
    await pay(pos, card, 400)
    _, answer = await pay(pos, card, 700)
    assert (answer["card"]["balance"], answer["card"]["remainder"]) == (2, 100)

    _, undone = await pos.post(f"/entries/{answer['entry']['id']}/undo", None)
    assert (undone["card"]["balance"], undone["card"]["remainder"]) == (0, 400)


async def test_double_hours_count_twice(db, settings, clock):
    # The clock stands at a Monday, 15:00 in Tokyo.
    happy = DoubleHours(days=(0,), start=14 * 60, end=16 * 60)
    design = coffee(limit=Limit(), spend=Spend(per=500), double_hours=(happy,))
    await open_shop(db, clock, coffee=design)
    async with serve_rooms(db, settings, clock) as client:
        pos = Pos(client, API_KEY)
        _, answer = await pay(pos, await a_card(pos), 1000)
        assert answer["card"]["balance"] == 4


async def test_after_a_rank_up_the_answer_is_the_card_that_has_the_stamps(
    db, settings, clock
):
    await open_shop(
        db,
        clock,
        coffee=coffee(
            goal=3,
            limit=Limit(),
            rewards=(Reward(at=3, name="コーヒー"),),
            next_program="gold",
        ),
        gold=coffee(goal=5, limit=Limit(), rewards=(Reward(at=5, name="ケーキ"),)),
    )
    async with serve_rooms(db, settings, clock) as client:
        pos = Pos(client, API_KEY)
        card = await a_card(pos)
        path = f"/cards/{card['id']}/stamps"
        first = await pos.post(path, {"n": 4}, key="full")
        assert first[1]["outcome"] == "granted"
        _, old = await pos.get(f"/cards/{card['id']}")
        assert old["next_card"] is not None

        _, answer = await pos.post(path, {"n": 1})
        assert answer["card"]["id"] == old["next_card"]
        assert answer["card"]["program"] == "gold"
        assert answer["entry"]["card_id"] == old["next_card"]
        assert answer["card"]["balance"] == 2
        # The key of the grant that led there still has its own answer.
        again = await pos.post(path, {"n": 4}, key="full")
        assert again[1]["entry"] == first[1]["entry"]
