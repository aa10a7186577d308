"""What people write and tap, and what that asks for."""

from datetime import UTC, datetime

import pytest

from bot.dialogue import (
    Chat,
    Follow,
    Ignore,
    LeaveGroup,
    Show,
    Unfollow,
    answer,
)
from bot.events import read_event
from core.rules.asking import LinePerson, StampAsk
from core.rules.types import MerchantId
from tests.bot.line_house import text_event

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MIKA = "U" + "1" * 32
SHOP = MerchantId("m1")


def asked(text: str = "", **more):
    return answer(read_event(text_event(MIKA, text, NOW, "01E", **more), NOW), SHOP)


def test_a_code_asks_for_stamps_under_the_event_s_own_key():
    assert asked("STAMP 7k3q-9fj2") == StampAsk(
        merchant_id=SHOP,
        key="line:01E",
        how="line",
        code="7K3Q9FJ2",
        person=LinePerson(user_id=MIKA),
    )


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("カード", "card"),
        ("ｶｰﾄﾞ", "card"),
        (" カード 。", "card"),
        ("カードを見せてください", "card"),
        ("スタンプ", "card"),
        ("スタンプ!!", "card"),
        ("特典", "vouchers"),
        ("特典はありますか?", "vouchers"),
        ("クーポン", "vouchers"),
        ("履歴", "history"),
        ("会員証", "member"),
        ("会員証を見せて", "member"),
        ("ヘルプ", "help"),
        ("使い方を教えて", "help"),
        ("退会", "help"),
        ("退会したいです", "help"),
        ("card", "card"),
        ("Show my card", "card"),
        ("MY STAMPS", "card"),
        ("rewards please", "vouchers"),
        ("History", "history"),
        ("member", "member"),
        ("help!", "help"),
    ],
)
def test_plain_words_ask_for_what_they_say(text: str, topic: str):
    assert asked(text) == Show(topic)


@pytest.mark.parametrize(
    "text",
    [
        "カードで払えますか",
        "営業時間は?",
        "特典航空券の話なんですけど、先日はありがとうございました",
        "はい",
        "?",
        "🎂",
    ],
)
def test_other_words_are_talk(text: str):
    assert asked(text) == Chat()


@pytest.mark.parametrize(
    ("data", "ask"),
    [
        ("a=card", Show("card")),
        ("a=vouchers&x=1", Show("vouchers")),
        ("a=history", Show("history")),
        ("a=member", Show("member")),
        ("a=help", Show("help")),
        ("a=fly", Ignore("unknown postback")),
        ("", Ignore("unknown postback")),
        ("%%%", Ignore("unknown postback")),
    ],
)
def test_taps_ask_for_what_their_data_says(data: str, ask: object):
    assert asked(type="postback", postback={"data": data}) == ask


def test_friends_come_and_go():
    assert asked(type="follow") == Follow(again=False)
    assert asked(type="follow", follow={"isUnblocked": True}) == Follow(again=True)
    assert asked(type="unfollow") == Unfollow()


def test_only_a_chat_of_two_in_active_mode_is_ours():
    group = {"type": "group", "groupId": "C1", "userId": MIKA}
    assert asked("カード", mode="standby") == Ignore("standby")
    assert asked("カード", source=group) == Ignore("message without a person")
    assert asked(type="join", source=group) == LeaveGroup("group", "C1")
    assert asked(type="join", source=group, mode="standby") == Ignore("standby")
    room = {"type": "room", "roomId": "R1"}
    assert asked(type="join", source=room) == LeaveGroup("room", "R1")


@pytest.mark.parametrize("kind", ["unsend", "beacon", "accountLink", "brandNew", ""])
def test_other_events_are_left_alone(kind: str):
    assert isinstance(asked(type=kind), Ignore)


@pytest.mark.parametrize("kind", ["sticker", "image", "location", "brandNew"])
def test_a_picture_or_sticker_is_left_alone(kind: str):
    assert asked(message={"type": kind, "id": "1"}) == Ignore("no text")
