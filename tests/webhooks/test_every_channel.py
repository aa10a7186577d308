"""What a customer may know of a card, every channel says: none forgets a fact."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.flex import card_bubble, card_in_words
from core.card_words import say_card
from core.rules.face import CardFace
from core.rules.types import (
    CardId,
    Customer,
    CustomerId,
    Language,
    MerchantId,
    Reward,
    Spend,
)
from passes.apple.pass_json import draw_pass
from tests.bot.line_house import texts_in
from tests.passes.faces import make_face
from tests.passes.google_cards import an_object
from tests.webhooks.templates import draw

REWARD = Reward(at=10, name="コーヒー1杯")


def face(balance: int = 7, **changes: Any) -> CardFace:
    is_full = balance == 10
    values = {
        "languages": ("ja", "en"),
        "rewards": (REWARD,),
        "next_reward": None if is_full else REWARD,
        "to_next": 10 - balance,
    }
    return make_face(balance, **(values | changes))


# --- how each channel says what it says ---------------------------------------------


def in_chat(a_face: CardFace, language: Language) -> str:
    bubble = card_bubble(a_face, language, wallet_url=None, card_url=None)
    return "\n".join(texts_in(bubble))


def in_alt_text(a_face: CardFace, language: Language) -> str:
    return card_in_words(a_face, language)


def in_apple(a_face: CardFace, language: Language) -> str:
    return in_style("storeCard", a_face, language)


def in_poster(a_face: CardFace, language: Language) -> str:
    return in_style("posterGeneric", a_face, language)


def in_style(style: str, a_face: CardFace, language: Language) -> str:
    content = draw_pass(
        a_face,
        serial="0" * 26,
        auth_token="0" * 26,
        pass_type_id="pass.example",
        team_id="TEAM",
        public_url="https://stamps.example.jp",
        card_url="https://stamps.example.jp/c/1",
    )
    spoken = content.strings[language]
    fields = [f for group in content.info[style].values() for f in group]
    return "\n".join(spoken.get(f["value"], f["value"]) for f in fields)


def in_google(a_face: CardFace, language: Language) -> str:
    said = []
    for text in an_object(a_face)["textModulesData"]:
        body = text["localizedBody"]
        every = [body["defaultValue"], *body["translatedValues"]]
        said += [each["value"] for each in every if each["language"] == language]
    return "\n".join(said)


def on_card_page(a_face: CardFace, language: Language) -> str:
    page = draw(
        "customer/face.html",
        language,
        face=a_face,
        said=say_card(a_face, language),
        picture="",
        expires="",
        last_stamp="",
        onward="",
    )
    return visible(page)


def at_till(a_face: CardFace, language: Language, **more: Any) -> str:
    customer = Customer(
        id=CustomerId("x"),
        merchant_id=MerchantId("m"),
        member_no=a_face.member_no,
        line_user_id=None,
        name="花子",
        language=language,
    )
    state = "stopped" if a_face.state == "stopped" else "active"
    desk = SimpleNamespace(
        shop=None,
        shops=(),
        session=SimpleNamespace(
            csrf="",
            merchant=SimpleNamespace(id="m", name=""),
            staff=SimpleNamespace(name="太郎", email=""),
            device_id=None,
        ),
    )
    context = {
        "desk": desk,
        "till_pass": "",
        "view": SimpleNamespace(
            customer=customer, card=SimpleNamespace(state=state), face=a_face
        ),
        "face": a_face,
        "said": say_card(a_face, language),
        "granted": None,
        "refusal": "",
        "earned": (),
        "asked": None,
        "last_visit": "",
        "expires": "",
        "key": "k",
    }
    return visible(draw("till/card.html", language, **(context | more)))


def at_till_claimed(a_face: CardFace, language: Language) -> str:
    """The page that flips when the customer has sent the code."""
    page = draw(
        "till/stage.html",
        language,
        state="claimed",
        desk=SimpleNamespace(session=SimpleNamespace(csrf="")),
        program=None,
        programs=(),
        code=SimpleNamespace(code="7K3Q9FJ2", stamps=1),
        name="花子",
        view=SimpleNamespace(face=a_face),
        said=say_card(a_face, language),
        entry=SimpleNamespace(stamps=1),
        vouchers=(),
        undoable=False,
        key="k",
        most=50,
    )
    return visible(page)


def visible(page: str) -> str:
    return re.sub(r"<[^>]*>", "", page)


CHANNELS: dict[str, Callable[[CardFace, Language], str]] = {
    "chat": in_chat,
    "alt text": in_alt_text,
    "apple": in_apple,
    "apple_poster": in_poster,
    "google": in_google,
    "card page": on_card_page,
    "till": at_till,
    "till, claimed": at_till_claimed,
}
channels = pytest.mark.parametrize("channel", CHANNELS)

PLAIN = face()
FULL = face(10)
LEADING = face(10, next_program_name="ゴールドカード")
MOVED = replace(LEADING, next_card_id=CardId("gold"))
SPENDING = face(spend=Spend(per=1500), remainder=180)
STOPPED = face(state="stopped", stop_reason="ご本人の希望")


# Each fact: a card that has it, and its words in Japanese and English.
FACTS = {
    "the next reward": (PLAIN, "あと3個で「コーヒー1杯」", "3 more stamps for"),
    "full": (FULL, "次のスタンプから新しいカード", "next stamp starts a new one"),
    "where a full card leads": (
        LEADING,
        "次は「ゴールドカード」にスタンプがたまります",
        "Your next stamps go on “ゴールドカード”",
    ),
    "that it has led there": (
        MOVED,
        "「ゴールドカード」が始まりました",
        "“ゴールドカード” has begun",
    ),
    "the rest of an amount": (SPENDING, "あと¥1,320", "¥1,320 more"),
}
# What is said of a card that takes no stamps; a page about a stamp just given never is.
OUT_OF_USE = {
    "stopped": (face(state="stopped"), "停止されています", "has been stopped"),
    "why it is stopped": (STOPPED, "(ご本人の希望)", "(ご本人の希望)"),
    "expired": (face(state="expired"), "有効期限が切れました", "has expired"),
    "paused": (face(state="paused"), "受け付けを休んで", "taking a break"),
}


@channels
@pytest.mark.parametrize("fact", FACTS)
def test_every_channel_says_it_in_both_languages(channel, fact):
    a_face, japanese, english = FACTS[fact]
    assert japanese in CHANNELS[channel](a_face, "ja")
    assert english in CHANNELS[channel](a_face, "en")


@pytest.mark.parametrize(
    "channel", [name for name in CHANNELS if "claimed" not in name]
)
@pytest.mark.parametrize("fact", OUT_OF_USE)
def test_every_channel_says_why_a_card_is_out_of_use(channel, fact):
    a_face, japanese, english = OUT_OF_USE[fact]
    assert japanese in CHANNELS[channel](a_face, "ja")
    assert english in CHANNELS[channel](a_face, "en")


@channels
def test_no_channel_says_what_is_not_so(channel):
    say = CHANNELS[channel]
    for a_face in (PLAIN, FULL, LEADING, MOVED, STOPPED):
        assert "¥" not in say(a_face, "ja")
    assert "新しいカード" not in say(LEADING, "ja")
    assert "次は" not in say(MOVED, "ja")
    assert "(" not in say_card(face(state="stopped"), "ja").state


@channels
@pytest.mark.parametrize(
    "changes", [{"state": "stopped"}, {"state": "expired"}, {"next_card_id": "gold"}]
)
def test_nobody_is_told_to_spend_for_a_card_that_takes_no_stamps(channel, changes):
    a_face = replace(SPENDING, **changes)
    assert "¥" not in CHANNELS[channel](a_face, "ja")


@pytest.mark.parametrize(
    ("remainder", "minimum", "words"),
    [
        (0, 0, "あと¥500で1個"),
        (499, 0, "あと¥1で1個"),
        # A stamp was taken back after its remainder had been used.
        (-100, 0, "あと¥600で1個"),
        # A smaller purchase would not count at all.
        (400, 300, "あと¥300で1個"),
    ],
)
def test_the_amount_said_is_a_purchase_that_earns_a_stamp(remainder, minimum, words):
    a_face = face(spend=Spend(per=500, minimum=minimum), remainder=remainder)
    assert say_card(a_face, "ja").spend == words


def test_a_card_without_rewards_says_how_far_its_goal_is():
    bare = face(7, rewards=(), next_reward=None, to_next=0)
    for channel in CHANNELS.values():
        assert "あと3個でゴール" in channel(bare, "ja")
        assert "3 stamps to the goal" in channel(bare, "en")


def test_the_till_says_that_a_stamp_counted_double():
    granted = SimpleNamespace(stamps=2, completed=False, doubled=True, entry_id="e")
    more = {"granted": granted, "undoable": False}
    assert "スタンプ2倍" in at_till(PLAIN, "ja", **more)
    granted.doubled = False
    assert "2倍" not in at_till(PLAIN, "ja", **more)
