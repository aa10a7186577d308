"""What else comes from LINE: strangers, groups, late news, batches, odd letters."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest
from sqlalchemy import select

from core.store.tables import customer
from jobs.demo.line_events import signature
from tests.bot.line_house import CHANNEL, LineHouse, text_event, texts_in
from tests.builders import BOT_USER_ID

REPLY = "/v2/bot/message/reply"


@pytest.fixture
async def mika(house: LineHouse) -> str:
    house.run()
    return house.friend()


async def the_one(house: LineHouse):
    return await house.db.read(lambda tx: tx.execute(select(customer)).one())


def first(item) -> str:
    return texts_in(item.message)[0]


# --- friends who come, go and come back ---------------------------------------------


async def test_a_block_that_is_told_late_does_not_undo_a_newer_friendship(house, mika):
    line, now = house.line, house.clock.now()
    went = line.event(CHANNEL, mika, "unfollow", at=now - timedelta(minutes=2))
    came = line.event(CHANNEL, mika, "follow", follow={"isUnblocked": True})
    for event in (came, went):
        await line.deliver(CHANNEL, [event])
        await house.settled()

    person = await the_one(house)
    assert person.followed_at == now
    assert person.unfollowed_at == now - timedelta(minutes=2)
    # Who comes back is greeted once, and has the card.
    assert [first(item) for item in house.answers(mika)] == ["おかえりなさい！"]


async def test_a_follow_without_its_details_is_a_friend_all_the_same(house, mika):
    # LINE's own examples leave `follow` out.
    await house.line.deliver(CHANNEL, [house.line.event(CHANNEL, mika, "follow")])
    await house.settled()
    assert "友だち追加ありがとうございます" in first(house.answers(mika)[0])


async def test_who_is_no_friend_collects_all_the_same(house, mika):
    passer_by = house.line.add_person("通りがかり", "ja")
    code = await house.shop.till_code(house.clock.now())
    message = await house.ask(passer_by, f"STAMP {code.code}")
    assert texts_in(message)[0] == "スタンプ1個を付与しました"
    assert CHANNEL not in house.line.world.people[passer_by].friends
    assert (await the_one(house)).name == "通りがかり"


async def test_who_blocked_us_with_an_answer_on_its_way_loses_no_stamp(house):
    worker, mika = house.new_worker(), house.friend()
    code = await house.shop.till_code(house.clock.now())
    await house.line.say(CHANNEL, mika, code.code)
    await house.line.unfollow(CHANNEL, mika)
    for _ in range(2):
        assert await worker.answer_next()
    assert await house.stamps() == 1


# --- who is nobody we know ----------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        {"type": "user"},
        {"type": "group", "groupId": "C1"},
        {"type": "group", "groupId": "C1", "userId": "U" + "1" * 32},
        {"type": "room", "roomId": "R1", "userId": "U" + "1" * 32},
        {"type": "something new", "id": "x"},
        {},
    ],
)
async def test_who_has_no_id_or_writes_in_a_group_makes_nobody_a_customer(
    house, mika, source
):
    # Without consent LINE names nobody, and in a group a card is nobody's business.
    code = await house.shop.till_code(house.clock.now())
    event = text_event(mika, f"STAMP {code.code}", house.clock.now(), "01G")
    await house.line.deliver(CHANNEL, [event | {"source": source}])
    await house.settled()
    assert await house.notes() == ["ignored: message without a person"]
    assert await house.stamps() == 0
    assert [c.path for c in house.line.world.calls] == []

    # The code is still good for who is there.
    assert "付与しました" in texts_in(await house.ask(mika, code.code))[0]


@pytest.mark.parametrize("kind", ["group", "room"])
async def test_an_invitation_that_is_told_five_times_is_declined_once(
    house, mika, kind
):
    join = house.line.event(CHANNEL, mika, "join")
    join["source"] = {"type": kind, f"{kind}Id": "C4af4980629"}
    sent = [house.line.deliver(CHANNEL, [join]) for _ in range(5)]
    await asyncio.gather(*sent)
    await house.settled()
    paths = [call.path for call in house.line.world.calls if "/v2/" in call.path]
    assert paths == [REPLY, f"/v2/bot/{kind}/C4af4980629/leave"]


async def test_a_group_that_cannot_be_left_is_no_error_of_the_event(house, mika):
    house.line.fail_next("/v2/bot/group/", 500)
    join = house.line.event(CHANNEL, mika, "join")
    join["source"] = {"type": "group", "groupId": "C1"}
    await house.line.deliver(CHANNEL, [join])
    await house.settled()
    assert await house.notes() == ["replied"]


# --- one call, many events ----------------------------------------------------------


async def test_one_call_with_events_of_many_answers_each_and_skips_the_odd(house, mika):
    taro, line = house.friend("太郎"), house.line
    odd = line.event(CHANNEL, mika, "brandNew", brandNew={"x": [1, None, {"y": "z"}]})
    strange = line.text_event(CHANNEL, mika, "ヘルプ") | {"mode": "strange"}
    no_reply = line.event(CHANNEL, taro, "beacon", beacon={"hwid": "1"})
    asks = [line.text_event(CHANNEL, each, "カード") for each in (mika, taro)]
    hook = await line.deliver(CHANNEL, [odd, asks[0], strange, no_reply, asks[1]])

    assert hook.status == 200
    await house.settled()
    assert sorted(await house.notes()) == [
        "ignored: beacon is not for us",
        "ignored: brandNew is not for us",
        "ignored: standby",
        "replied",
        "replied",
    ]
    assert [len(house.answers(each)) for each in (mika, taro)] == [1, 1]


async def test_words_with_half_a_letter_are_answered_and_kept(house, mika):
    for words in ("カード\ud83d", "\udc00スタンプが付いていない\ud83d", "\x00カード"):
        event = house.line.text_event(CHANNEL, mika, words)
        # As LINE would have to write it: JSON can say it, UTF-8 cannot.
        await _deliver_escaped(house, event)
        await house.settled()
    assert [note for note in await house.notes() if note != "replied"] == []
    assert len(house.answers(mika)) == 3


@pytest.mark.parametrize("language", ["zh-Hant", "pt-BR"])
async def test_whoever_reads_neither_is_answered_in_english(house, language):
    house.run()
    guest = house.line.add_person("Guest", language)
    await house.line.follow(CHANNEL, guest)
    [item] = await house.line.wait_for_reply(CHANNEL, guest)
    assert "Thank" in first(item)
    assert "0 of 10" in item.message["altText"]


async def _deliver_escaped(house: LineHouse, event) -> None:
    body = json.dumps({"destination": BOT_USER_ID, "events": [event]}).encode()
    headers = {"x-line-signature": signature(house.shop.channel_secret, body)}
    url = str(house.server.make_url("/line/aozora"))
    async with (
        aiohttp.ClientSession() as web,
        web.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 200
