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
from bot.limits import utf16_length
from bot.wishes import (
    ClaimStamps,
    ConfirmLink,
    EnterReferral,
    ForgetBirthday,
    Leave,
    LinkUp,
    StopUsing,
    TellBirthday,
    Unlink,
    UseVoucher,
    claim_data,
)
from core.rules.asking import LinePerson, StampAsk
from core.rules.types import MerchantId
from core.vault import new_code
from core.wording import say
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
        ("退会", "leave"),
        ("退会したいです", "leave"),
        ("データ", "data"),
        ("登録情報を教えて", "data"),
        ("連携解除", "unlink"),
        ("card", "card"),
        ("Show my card", "card"),
        ("MY STAMPS", "card"),
        ("rewards please", "vouchers"),
        ("History", "history"),
        ("member", "member"),
        ("help!", "help"),
        ("Leave please", "leave"),
        ("my data", "data"),
        ("Unlink", "unlink"),
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


@pytest.mark.parametrize(
    ("data", "ask"),
    [
        ("a=use&v=01M83FTSR0", UseVoucher("01M83FTSR0")),
        ("a=stop&r=01M83FTSR0", StopUsing("01M83FTSR0")),
        (
            "a=claim&c=01M8&t=昨日の分 & 今日の分",
            ClaimStamps("昨日の分 & 今日の分", "01M8"),
        ),
        ("a=leave&k=x.y-z_1", Leave("x.y-z_1")),
        ("a=link&k=x.y", ConfirmLink("x.y")),
        ("a=unlink&k=x.y", Unlink("x.y")),
        ("a=birthday&d=5-3", TellBirthday(5, 3)),
        ("a=birthday&d=x", Show("birthday")),
        ("a=leave", Show("leave")),
        ("a=use", Ignore("unknown postback")),
        ("a=use&v=../../1", Ignore("unknown postback")),
    ],
)
def test_taps_on_what_is_theirs_carry_an_id_or_a_token(data: str, ask: object):
    assert asked(type="postback", postback={"data": data}) == ask


@pytest.mark.parametrize(
    "text",
    ["連携 7K3Q9FJ2", "連携:7k3q-9fj2", "連携７Ｋ３Ｑ９ＦＪ２", "link 7k3q 9fj2"],
)
def test_a_code_after_the_word_for_linking_is_no_till_code(text: str):
    assert asked(text) == LinkUp("7K3Q9FJ2")


def test_no_code_of_ours_is_taken_for_a_word_in_lower_case():
    # One in twenty random ones has no digit: this many would not all have one.
    for code in (new_code(8) for _ in range(2000)):
        assert asked(f"連携 {code.lower()}") == LinkUp(code)
        assert asked(f"紹介 {code.lower()}") == EnterReferral(code)


@pytest.mark.parametrize(
    "text",
    [
        "スタンプが付いていない",
        "スタンプが付いてない",
        "スタンプがない",
        "スタンプない!",
        "昨日のスタンプがついていません",
        "付いてない",
        "スタンプをもらっていないです",
        "さっき買い物したけどポイントが付かなかったです",
        "スタンプ\nが付いていないようですが",
        "My stamp is missing",
        "I didn't get a stamp yesterday",
        "missing stamp",
    ],
)
def test_missing_stamps_are_claimed_in_ones_own_words(text: str):
    assert asked(text) == ClaimStamps(" ".join(text.split()))


def test_a_code_is_a_code_also_where_stamps_are_said_to_be_missing():
    assert asked("スタンプが付いていない STAMP 7K3Q9FJ2").code == "7K3Q9FJ2"


def test_a_long_claim_is_cut_and_its_button_holds_it():
    words = "スタンプが付いていない" + "👨‍👩‍👧\x07%&=" * 200
    found = asked(words)
    assert len(found.text) == 200
    data = claim_data("0" * 26, found.text)
    assert utf16_length(data) <= 300
    again = asked(type="postback", postback={"data": data})
    assert again.text[:150] == found.text[:150]


@pytest.mark.parametrize(
    "text",
    [
        "スタンプを使わない",
        "かわいいスタンプ!",
        "スタンプをもらえませんか",
        "スタンプが足りないと使えませんか",
        "ポイントカードがない",
        "link",
        "連携したい",
    ],
)
def test_talk_of_stamps_is_no_claim(text: str):
    assert asked(text) == Chat()


@pytest.mark.parametrize(
    ("text", "ask"),
    [
        ("紹介 7K3Q9FJ2", EnterReferral("7K3Q9FJ2")),
        ("友だち紹介コード：７ｋ３ｑ－９ｆｊ２です", EnterReferral("7K3Q9FJ2")),
        ("friend 7k3q9fj2", EnterReferral("7K3Q9FJ2")),
        ("誕生日 5/3", TellBirthday(5, 3)),
        ("誕生日は５月３日です", TellBirthday(5, 3)),
        ("誕生日 1990/05/03", TellBirthday(5, 3)),
        ("5月3日が誕生日", TellBirthday(5, 3)),
        ("My birthday is 5-3.", TellBirthday(5, 3)),
        ("birthday 13/40", TellBirthday(13, 40)),
        ("5月3日", TellBirthday(5, 3, is_bare=True)),
        ("５月３日です", TellBirthday(5, 3, is_bare=True)),
        ("誕生日 削除", ForgetBirthday()),
        ("誕生日を消してください", ForgetBirthday()),
        ("delete my birthday", ForgetBirthday()),
        ("誕生日", Show("birthday")),
        ("友だち紹介", Show("referral")),
        ("5月3日は営業していますか", Chat()),
        ("5/3", Chat()),
        ("紹介してください", Show("referral")),
        ("友だちを連れて行きます", Chat()),
        ("friend tomorrow", Chat()),
        ("Referral program", Chat()),
        ("紹介 ABCDEFGH", EnterReferral("ABCDEFGH")),
        ("紹介 7K3Q9FJ", EnterReferral("7K3Q9FJ")),
        ("連携 OK3Q9FJ2", LinkUp("0K3Q9FJ2")),
        ("連携 Apple Wallet", Chat()),
    ],
)
def test_friends_and_birthdays_are_told_by_word(text: str, ask: object):
    assert asked(text) == ask


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


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_word_that_the_help_names_is_understood(language):
    named = [
        line.split(" … ")[0]
        for line in say("bot.help", language, contact="").splitlines()
        if " … " in line
    ]
    assert len(named) >= 11
    for words in named:
        code = words.replace("コード", "7K3Q9FJ2").replace("CODE", "7K3Q9FJ2")
        assert asked(code) != Chat(), words
