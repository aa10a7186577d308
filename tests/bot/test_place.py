"""A printed code that is good near its shop only: asked, answered, finished once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from core.actions.printed import make_printed_code, revoke_printed_code
from core.store.tables import inbox, refusal, shop
from tests.bot.line_house import CHANNEL, LineHouse, texts_in
from tests.bot.taps import actions_in

# 本店 stands at 35.68, 139.76.
NEAR, ROUND_THE_CORNER, FAR = (35.6805, 139.7605), (35.6822, 139.76), (35.70, 139.76)
REPLY = "/v2/bot/message/reply"


async def poster(house: LineHouse, radius_m: int | None = 200) -> str:
    made = await house.db.write(
        make_printed_code,
        merchant_id=house.shop.merchant.id,
        shop_key="main",
        program_key="coffee",
        stamps=1,
        radius_m=radius_m,
        staff_id=None,
        now=house.clock.now(),
    )
    return made.code


async def stand(house: LineHouse, user_id: str, place) -> str:
    """Send a place; what the answer says first."""
    await house.line.send_place(CHANNEL, user_id, *place)
    return first(await house.line.wait_for_reply(CHANNEL, user_id))


def first(items) -> str:
    return texts_in(items[-1].message)[0]


def buttons_for_a_place(message) -> list[str]:
    return [a["label"] for a in actions_in(message) if a["type"] == "location"]


@pytest.fixture
async def mika(house: LineHouse) -> str:
    house.run()
    return house.friend()


async def test_a_code_for_people_in_the_shop_asks_where_they_are(house, mika):
    message = await house.ask(mika, f"STAMP {await poster(house)}")

    assert message["text"].startswith("本店から約200m以内で使えるコードです。")
    assert "スマートフォンのLINE" in message["text"]
    assert buttons_for_a_place(message) == ["位置情報を送る"]
    assert await house.stamps() == 0

    assert await stand(house, mika, NEAR) == "スタンプ1個を付与しました"
    assert await house.stamps() == 1


async def test_who_is_too_far_hears_how_far_and_may_try_again(house, mika):
    await house.ask(mika, await poster(house))

    assert (await stand(house, mika, FAR)).startswith("本店から約2.2km離れています。")
    told = await stand(house, mika, ROUND_THE_CORNER)
    assert told.startswith("本店から約250m離れています。お店に着いたら(約200m以内)")
    assert buttons_for_a_place(house.answers(mika)[-1].message) == ["位置情報を送る"]
    assert await house.stamps() == 0

    assert await stand(house, mika, NEAR) == "スタンプ1個を付与しました"


async def test_a_place_that_nobody_asked_for_is_answered_kindly(house, mika):
    assert "確かめているコードはありません" in await stand(house, mika, NEAR)
    # A code without a radius asks for nothing either.
    await house.ask(mika, await poster(house, radius_m=None))
    assert "確かめているコードはありません" in await stand(house, mika, NEAR)
    assert await house.stamps() == 1


async def test_where_people_answer_a_place_is_left_to_them(house, mika):
    house.line.world.channel(CHANNEL).chat_mode = "chat"
    await house.line.send_place(CHANNEL, mika, *NEAR)
    await house.settled()
    assert house.answers(mika) == []
    # Asked for, it is ours.
    await house.ask(mika, await poster(house))
    assert await stand(house, mika, NEAR) == "スタンプ1個を付与しました"


async def test_a_place_sent_twice_is_one_stamp(house, mika):
    await house.ask(mika, await poster(house))
    await asyncio.gather(*(house.line.send_place(CHANNEL, mika, *NEAR) for _ in "12"))
    await house.settled()

    told = [texts_in(item.message)[0] for item in house.answers(mika)[-2:]]
    assert told == [
        "スタンプ1個を付与しました",
        "本日分は付与済みです。次は11/24 5:00から",
    ]
    assert await house.stamps() == 1


async def test_a_place_that_line_delivers_again_is_one_stamp_and_one_answer(
    house, mika
):
    await house.ask(mika, await poster(house))
    sent = await house.line.send_place(CHANNEL, mika, *NEAR)
    await asyncio.gather(*(house.line.redeliver(sent) for _ in range(4)))
    await house.settled()
    assert await house.stamps() == 1
    assert len(house.answers(mika)) == 2


async def test_a_crash_before_the_answer_stamps_once_and_answers_once(house):
    worker, mika = house.new_worker(), house.friend()
    await house.line.say(CHANNEL, mika, await poster(house))
    assert await worker.answer_next()
    house.clock.move(seconds=20)
    await house.line.send_place(CHANNEL, mika, *NEAR)
    house.line.accept_then_500(REPLY)
    assert await worker.answer_next()
    assert await house.stamps() == 1

    house.clock.move(seconds=5)
    assert await house.new_worker().answer_next()

    assert await house.stamps() == 1
    assert await house.notes() == ["replied", "replied before"]
    assert len(house.answers(mika)) == 2


async def test_five_minutes_later_nobody_is_asked_any_more(house, mika):
    await house.ask(mika, await poster(house))
    house.clock.move(minutes=5)
    assert await stand(house, mika, NEAR) == "スタンプ1個を付与しました"

    house.clock.move(days=1)
    await house.ask(mika, await poster(house))
    house.clock.move(minutes=5, seconds=1)
    assert "確かめているコードはありません" in await stand(house, mika, NEAR)
    assert await house.stamps() == 1


async def test_a_code_that_was_revoked_in_between_is_worth_nothing(house, mika):
    code = await poster(house)
    await house.ask(mika, code)
    gone = (house.shop.merchant.id, code, None, house.clock.now())
    await house.db.write(revoke_printed_code, *gone)
    assert "過ぎました" in await stand(house, mika, NEAR)
    assert await house.stamps() == 0


async def test_where_the_shop_itself_has_no_place_none_is_asked_for(house, mika):
    code = await poster(house)
    nowhere = update(shop).values(latitude=None, longitude=None)
    await house.db.write(lambda tx: tx.execute(nowhere) and None)
    message = await house.ask(mika, code)
    assert texts_in(message)[0] == "お店の中で読み取ってください。"
    assert buttons_for_a_place(message) == []


async def test_one_persons_place_is_of_no_use_to_another(house, mika):
    await house.ask(mika, await poster(house))
    taro = house.friend("太郎")
    assert "確かめているコードはありません" in await stand(house, taro, NEAR)
    assert await stand(house, mika, NEAR) == "スタンプ1個を付与しました"


async def test_where_somebody_was_is_not_kept(house, mika):
    await house.ask(mika, await poster(house))
    await stand(house, mika, NEAR)
    await house.settled()
    rows = await house.db.read(
        lambda tx: [
            tuple(r) for table in (inbox, refusal) for r in tx.execute(select(table))
        ]
    )
    assert "35.68" not in str(rows)
    assert '"type":"location"' in str(rows)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"latitude": "35.68", "longitude": 139.76},
        {"latitude": 91, "longitude": 139.76},
        {"latitude": float("nan"), "longitude": 139.76},
        {"latitude": 35.68},
    ],
)
async def test_a_place_that_is_none_is_left_alone(house, mika, odd):
    message = {"type": "location", "id": "1", **odd}
    event = house.line.event(CHANNEL, mika, "message", message=message)
    await house.line.deliver(CHANNEL, [event])
    await house.settled()
    assert await house.notes() == ["ignored: no text"]


async def test_all_of_it_is_said_in_english_too(house):
    house.run()
    lee = house.friend("Lee", "en")
    await house.ask(lee, "card")
    message = await house.ask(lee, await poster(house))
    assert message["text"].startswith("This code works within about 200 m of 本店.")
    assert buttons_for_a_place(message) == ["Send my location"]
    assert (await stand(house, lee, FAR)).startswith("You are about 2.2 km away")
    assert await stand(house, lee, NEAR) == "1 stamp for you"
