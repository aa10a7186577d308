"""The whole way of a chat: webhook, inbox, worker, reply, on both databases."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import update

from core.actions.inbox import NewEvent, keep_events, take_events
from core.database import Tx
from core.store.tables import inbox
from tests.bot.line_house import CHANNEL, LineHouse, text_event, texts_in

REPLY = "/v2/bot/message/reply"


def _forget_the_end(tx: Tx) -> None:
    """As if the process had died just before it wrote that the event is done."""
    tx.execute(update(inbox).values(state="waiting", lease_until=None, attempts=1))


async def _say_code(house: LineHouse, user_id: str) -> None:
    code = await house.shop.till_code(house.clock.now())
    await house.line.say(CHANNEL, user_id, f"STAMP {code.code}")


# --- what a customer sees -----------------------------------------------------------


async def test_a_code_becomes_a_stamp_and_the_card_comes_back(house: LineHouse):
    house.run()
    mika = house.friend()
    code = await house.shop.till_code(house.clock.now())
    message = await house.ask(mika, f"STAMP {code.code}")
    shown = texts_in(message)
    assert shown[0] == "スタンプ1個を付与しました"
    assert "10個中1個 あと9個" in shown
    assert "あと9個で「コーヒー1杯」" in shown
    assert message["altText"].startswith("スタンプ1個を付与しました\nコーヒーカード\n")
    assert await house.stamps() == 1
    await house.settled()
    assert await house.notes() == ["replied"]


async def test_a_second_scan_the_same_day_is_refused_with_the_next_opening(
    house: LineHouse,
):
    house.run()
    mika = house.friend()
    for _ in range(2):
        code = await house.shop.till_code(house.clock.now())
        message = await house.ask(mika, code.code)
    shown = texts_in(message)
    assert shown[0] == "本日分は付与済みです。次は11/24 5:00から"
    assert "10個中1個 あと9個" in shown
    assert await house.stamps() == 1


async def test_the_last_stamp_congratulates_and_shows_the_voucher(house: LineHouse):
    house.run()
    mika = house.friend()
    code = await house.shop.till_code(house.clock.now(), stamps=10)
    message = await house.ask(mika, f"スタンプ {code.digits}")
    title, detail = texts_in(message)[:2]
    assert title == "おめでとうございます！\nスタンプ10個を付与しました"
    assert "特典「コーヒー1杯」をお使いいただけます(No." in detail
    assert "10個たまりました" in message["altText"]
    vouchers = texts_in(await house.ask(mika, "特典"))
    assert vouchers[0] == "使える特典"
    assert "コーヒー1杯\n2027/2/23まで" in vouchers


async def test_a_new_friend_has_a_card_at_once_and_keeps_it_through_a_block(
    house: LineHouse,
):
    house.run()
    mika = house.line.add_person("美香", "ja")
    await house.line.follow(CHANNEL, mika)
    (item,) = await house.line.wait_for_reply(CHANNEL, mika)
    assert "友だち追加ありがとうございます" in texts_in(item.message)[0]
    assert "10個中0個 あと10個" in texts_in(item.message)
    await _say_code(house, mika)
    await house.line.wait_for_reply(CHANNEL, mika)
    await house.line.unfollow(CHANNEL, mika)
    await house.line.follow(CHANNEL, mika)
    (item,) = await house.line.wait_for_reply(CHANNEL, mika)
    assert texts_in(item.message)[0] == "おかえりなさい！"
    assert "10個中1個 あと9個" in texts_in(item.message)


async def test_who_was_a_friend_before_the_shop_joined_gets_a_card_by_asking(
    house: LineHouse,
):
    house.run()
    message = await house.ask(house.friend(), "カード")
    assert "10個中0個 あと10個" in texts_in(message)


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("履歴", "スタンプ +1 → 1個 (本店)"),
        ("会員証", "お店のスタッフにこの画面をお見せください。"),
        ("特典", "いま使える特典はありません"),
        ("ヘルプ", "ヘルプ … この案内"),
        ("ヘルプ", "そのほかのご用件はinfo@example.jpへ"),
        ("退会", "本当に退会しますか？"),
        ("なんじまで?", "送れることば"),
    ],
)
async def test_words_are_answered(house: LineHouse, word: str, seen: str):
    house.run()
    mika = house.friend()
    await _say_code(house, mika)
    await house.line.wait_for_reply(CHANNEL, mika)
    assert seen in "\n".join(texts_in(await house.ask(mika, word)))


async def test_a_tap_on_a_button_is_answered_like_the_word(house: LineHouse):
    house.run()
    mika = house.friend()
    await house.line.postback(CHANNEL, mika, "a=card", display_text="カード")
    (item,) = await house.line.wait_for_reply(CHANNEL, mika)
    assert "10個中0個 あと10個" in texts_in(item.message)


async def test_others_than_japanese_are_answered_in_english(house: LineHouse):
    house.run()
    lee = house.friend("Lee", "ko")
    await _say_code(house, lee)
    (item,) = await house.line.wait_for_reply(CHANNEL, lee)
    assert texts_in(item.message)[0] == "1 stamp for you"
    shown = texts_in(await house.ask(lee, "STAMP 00000000"))
    assert shown[0].startswith("We don't know this code.")


async def test_where_a_human_answers_chats_only_commands_are_answered(
    house: LineHouse,
):
    house.line.world.channel(CHANNEL).chat_mode = "chat"
    house.run()
    mika = house.friend()
    await house.line.say(CHANNEL, mika, "なんじまで開いてますか")
    await house.settled()
    assert house.answers(mika) == []
    assert "10個中0個 あと10個" in texts_in(await house.ask(mika, "カード"))


async def test_an_invitation_to_a_group_is_declined_and_the_group_left(
    house: LineHouse,
):
    house.run()
    join = house.line.event(CHANNEL, house.friend(), "join")
    join["source"] = {"type": "group", "groupId": "C4af4980629"}
    await house.line.deliver(CHANNEL, [join])
    await house.settled()
    assert [call.path for call in house.line.world.calls][-2:] == [
        REPLY,
        "/v2/bot/group/C4af4980629/leave",
    ]


async def test_in_standby_nothing_is_said(house: LineHouse):
    house.run()
    event = house.line.text_event(CHANNEL, house.friend(), "カード")
    del event["replyToken"]
    await house.line.deliver(CHANNEL, [event | {"mode": "standby"}])
    await house.settled()
    assert house.line.world.calls == []
    assert await house.notes() == ["ignored: standby"]


# --- the name of who writes ---------------------------------------------------------


async def test_a_slow_or_missing_profile_delays_no_stamp(house: LineHouse):
    house.run()
    house.line.slow(6, "/v2/bot/profile")
    mika = house.friend()
    async with asyncio.timeout(5.5):
        await _say_code(house, mika)
        await house.line.wait_for_reply(CHANNEL, mika)
    stranger = house.line.add_person("他人", "ja")
    house.line.fail_next("/v2/bot/profile", 404)
    await _say_code(house, stranger)
    await house.line.wait_for_reply(CHANNEL, stranger)
    assert await house.stamps() == 2


# --- once, whatever happens ---------------------------------------------------------


async def test_a_storm_of_redeliveries_gives_one_stamp_and_one_reply_each(
    house: LineHouse,
):
    house.run()
    others = house.new_worker()
    second = asyncio.create_task(others.run())
    people = [house.friend(f"客{i}") for i in range(12)]
    codes = [await house.shop.till_code(house.clock.now()) for _ in people]
    events = [
        house.line.text_event(CHANNEL, user_id, code.code)
        for user_id, code in zip(people, codes, strict=True)
    ]
    chance = random.Random(7)
    storm = [
        event | {"deliveryContext": {"isRedelivery": n > 0}}
        for event in events
        for n in range(chance.randint(1, 5))
    ]
    chance.shuffle(storm)
    batches = [storm[i : i + 3] for i in range(0, len(storm), 3)]
    sent = await asyncio.gather(*(house.line.deliver(CHANNEL, b) for b in batches))
    assert {webhook.status for webhook in sent} == {200}
    await house.settled()
    assert await house.stamps() == len(people)
    for user_id in people:
        (item,) = house.answers(user_id)
        assert texts_in(item.message)[0] == "スタンプ1個を付与しました"
    others.stop()
    await second


async def test_one_code_for_many_people_is_one_stamp(house: LineHouse):
    house.run()
    code = await house.shop.till_code(house.clock.now())
    people = [house.friend(f"客{i}") for i in range(10)]
    events = [house.line.text_event(CHANNEL, p, code.code) for p in people]
    await house.line.deliver(CHANNEL, events)
    await house.settled()
    assert await house.stamps() == 1
    told = [texts_in(house.answers(p)[0].message)[0] for p in people]
    assert told.count("スタンプ1個を付与しました") == 1
    assert sum("使用済み" in text for text in told) == 9


async def test_two_answers_to_one_person_come_in_the_order_asked(house: LineHouse):
    mika = house.friend()
    now = house.clock.now()
    words = ["ヘルプ", "カード", "履歴", "会員証"]
    for number, word in enumerate(words):
        token = house.line.world.new_reply_token(CHANNEL, mika)
        event = text_event(mika, word, now, f"0{number}", replyToken=token)
        await house.line.deliver(CHANNEL, [event])
    house.line.slow(0.3, REPLY)
    house.run()
    await house.settled()
    first = [texts_in(item.message)[0] for item in house.answers(mika)]
    assert [text.split("\n")[0][:4] for text in first] == [
        "スタンプ",
        "コーヒー",
        "履歴",
        "会員番号",
    ]


async def test_one_slow_answer_keeps_nobody_else_waiting(house: LineHouse):
    house.line.slow(9, REPLY)
    house.run()
    people = [house.friend(f"客{i}") for i in range(3)]
    async with asyncio.timeout(8.5):
        for user_id in people:
            await house.line.say(CHANNEL, user_id, "ヘルプ")
        for user_id in people[1:]:
            await house.line.wait_for_reply(CHANNEL, user_id)
    assert house.answers(people[0]) == []


# --- LINE in trouble ----------------------------------------------------------------


async def test_an_answer_that_line_took_and_denied_is_not_sent_twice(house: LineHouse):
    worker, mika = house.new_worker(), house.friend()
    await _say_code(house, mika)
    house.line.accept_then_500(REPLY)
    assert await worker.answer_next()
    assert not await worker.answer_next()
    house.clock.move(seconds=2)
    assert await worker.answer_next()
    assert await house.notes() == ["replied before"]
    assert len(house.answers(mika)) == 1
    assert await house.stamps() == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_answer_that_failed_is_sent_again_with_the_same_token(
    house: LineHouse, status: int
):
    worker, mika = house.new_worker(), house.friend()
    await _say_code(house, mika)
    house.line.fail_next(REPLY, status, times=2)
    for _ in range(3):
        assert await worker.answer_next()
        house.clock.move(seconds=4)
    assert await house.notes() == ["replied"]
    assert len(house.answers(mika)) == 1
    tokens = {c.body["replyToken"] for c in house.line.world.calls if c.path == REPLY}
    assert len(tokens) == 1


async def test_when_line_stays_down_the_stamp_stays_and_the_reply_is_given_up(
    house: LineHouse,
):
    worker, mika = house.new_worker(), house.friend()
    await _say_code(house, mika)
    house.line.down = True
    for seconds in (1, 3, 6, 10, 15, 15):
        assert await worker.answer_next()
        house.clock.move(seconds=seconds)
    assert not await worker.answer_next()
    assert await house.notes() == ["reply expired"]
    assert await house.stamps() == 1


async def test_a_call_that_hangs_is_given_up_and_tried_again(house: LineHouse):
    house.api._timeout = type(house.api._timeout)(total=2)
    worker, mika = house.new_worker(), house.friend()
    await _say_code(house, mika)
    house.line.slow(3, REPLY)
    assert await worker.answer_next()
    assert await house.notes() == [""]
    house.clock.move(seconds=2)
    assert await worker.answer_next()
    assert await house.notes() == ["replied"]
    assert len(house.answers(mika)) == 1


async def test_a_refused_layout_is_said_in_plain_words(house: LineHouse):
    house.line.world.check = lambda m: ["no"] if m["type"] == "flex" else []
    house.run()
    message = await house.ask(house.friend(), "カード")
    assert message["type"] == "text"
    assert "10個中0個 あと10個" in message["text"]
    await house.settled()
    assert await house.notes() == ["replied in plain words"]


async def test_a_wrong_channel_secret_is_noted_after_a_second_look(house: LineHouse):
    house.line.world.channel(CHANNEL).webhook_url = ""
    mika = house.friend()
    sent = await house.line.say(CHANNEL, mika, "ヘルプ")
    await _keep(house, sent.events[0])
    house.line.world.channel(CHANNEL).secret = "reissued"
    worker = house.new_worker()
    assert await worker.answer_next()
    house.clock.move(seconds=2)
    assert await worker.answer_next()
    assert not await worker.answer_next()
    (note,) = await house.notes()
    assert note.startswith("reply refused: LINE refused the id or secret")
    assert house.shop.channel_secret not in note


async def test_a_revoked_access_token_is_replaced(house: LineHouse):
    house.run()
    mika = house.friend()
    await house.ask(mika, "ヘルプ")
    house.line.forget_access_tokens()
    assert "ヘルプ" in "".join(texts_in(await house.ask(mika, "help")))


# --- a process in trouble -----------------------------------------------------------


async def test_after_a_crash_before_the_end_the_answer_is_given_once(house: LineHouse):
    worker, mika = house.new_worker(), house.friend()
    await _say_code(house, mika)
    assert await worker.answer_next()
    await house.db.write(_forget_the_end)
    assert await house.new_worker().answer_next()
    assert await house.notes() == ["replied before"]
    assert len(house.answers(mika)) == 1
    assert await house.stamps() == 1


async def test_an_event_of_a_dead_worker_is_answered_while_its_token_lives(
    house: LineHouse,
):
    mika = house.friend()
    await _say_code(house, mika)
    assert await house.db.write(take_events, 1, 30.0, house.clock.now())
    assert not await house.new_worker().answer_next()
    house.clock.move(seconds=31)
    assert await house.new_worker().answer_next()
    assert await house.notes() == ["replied"]
    assert texts_in(house.answers(mika)[0].message)[0] == "スタンプ1個を付与しました"


async def test_a_code_sent_in_time_counts_even_when_nobody_worked_for_hours(
    house: LineHouse,
):
    await _say_code(house, house.friend())
    house.clock.move(hours=3)
    assert await house.new_worker().answer_next()
    assert await house.stamps() == 1
    assert await house.notes() == ["reply expired"]


async def test_an_event_that_cannot_be_read_holds_up_its_person_only_for_a_while(
    house: LineHouse,
):
    mika, now = house.friend(), house.clock.now()
    bad = NewEvent(
        event_id="0",
        person=mika,
        happened_at=now,
        reply_deadline=now,
        body="no JSON at all",
    )
    await house.db.write(keep_events, house.shop.merchant.id, [bad], now)
    worker = house.new_worker()
    for _ in range(5):
        assert await worker.answer_next()
        house.clock.move(seconds=31)
    assert await house.notes() == ["failed: JSONDecodeError"]
    await house.line.say(CHANNEL, mika, "ヘルプ")
    assert await worker.answer_next()
    assert len(house.answers(mika)) == 1


async def test_a_stopped_worker_ends_what_it_began(house: LineHouse):
    house.line.slow(0.5, REPLY)
    worker = house.new_worker()
    running = asyncio.create_task(worker.run())
    mika = house.friend()
    await house.line.say(CHANNEL, mika, "ヘルプ")
    async with asyncio.timeout(5):
        while not worker._busy:
            await house.db.wait({"inbox"}, 0.05)
        worker.stop()
        await running
    assert len(house.answers(mika)) == 1
    assert await house.notes() == ["replied"]


async def _keep(house: LineHouse, event: dict) -> None:
    from bot.events import read_event

    now = house.clock.now()
    found = read_event(event, now)
    kept = NewEvent(
        event_id=found.id,
        person=found.person,
        happened_at=found.at,
        reply_deadline=now.replace(year=now.year + 1),
        body=found.body,
    )
    await house.db.write(keep_events, house.shop.merchant.id, [kept], now)
