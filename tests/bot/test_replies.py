"""Every message that can go out, judged by LINE's own models and limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot import replies
from bot.flex import card_bubble, card_in_words
from bot.replies import Reader
from core.card_words import say_entry
from core.links import Links
from core.rules.asking import Granted, Refused
from core.rules.colours import contrast_ratio
from core.rules.face import CardFace
from core.rules.glyphs import GLYPHS
from core.rules.types import (
    CardId,
    Entry,
    EntryId,
    EntryKind,
    How,
    Look,
    Merchant,
    MerchantId,
    ProgramId,
    Reward,
    Shop,
    ShopId,
    Spend,
    Voucher,
    VoucherId,
    Why,
)
from core.vault import Vault
from tests.bot.line_house import texts_in
from tests.bot.sdk_models import problems_of

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
# The end of business day 11/22, at five in the morning of Tokyo.
CUT_OFF = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
MERCHANT = Merchant(
    id=MerchantId("m1"),
    key="aozora",
    name="あおぞら珈琲",
    timezone="Asia/Tokyo",
    day_starts_at=5,
    contact="info@example.jp",
    languages=("ja", "en"),
)
LINKS = Links(Vault("a key for tests only"), "https://stamps.example.jp")


def reader(language="ja", *, has_wallet: bool = True) -> Reader:
    return Reader(
        merchant=MERCHANT, language=language, links=LINKS, has_wallet=has_wallet
    )


def voucher(number: int = 1, name: str = "コーヒー1杯") -> Voucher:
    return Voucher(
        id=VoucherId(f"v{number}"),
        card_id=CardId("c1"),
        number=f"{number:04d}",
        name=name,
        state="issued",
        issued_at=NOW,
        expires_at=CUT_OFF + timedelta(days=90) if number % 2 else None,
    )


def face(balance: int = 3, goal: int = 10, **changes) -> CardFace:
    rewards = changes.pop("rewards", (Reward(at=goal, name="コーヒー1杯"),))
    ahead = [r for r in rewards if r.at > balance]
    values = {
        "card_id": CardId("01M83FTSR0MVJKRSEJ5KAFGCE1"),
        "merchant_id": MERCHANT.id,
        "merchant_key": "aozora",
        "merchant_name": MERCHANT.name,
        "contact": MERCHANT.contact,
        "languages": ("ja", "en"),
        "language": "ja",
        "timezone": "Asia/Tokyo",
        "program_id": ProgramId("p1"),
        "program_key": "coffee",
        "program_name": "コーヒーカード",
        "version": 1,
        "goal": goal,
        "balance": balance,
        "cycle": 0,
        "total": balance,
        "state": "active",
        "member_no": "1234-5678",
        "code": "c" * 22,
        "rewards": rewards,
        "next_reward": ahead[0] if ahead else None,
        "to_next": ahead[0].at - balance if ahead else 0,
        "vouchers": (),
        "expires_at": None,
        "last_stamp_at": NOW,
        "shops": (Shop(id=ShopId("s1"), key="main", name="本店"),),
        "look": Look(icon="coffee"),
        "guide": "",
        "thanks": "",
        "remainder": 0,
        "spend": None,
        "next_program_name": None,
        "next_card_id": None,
        "stop_reason": "",
    }
    return CardFace(**(values | changes))


def granted(**changes) -> Granted:
    found = Granted(card_id=CardId("c1"), entry_id=EntryId("e1"), stamps=1)
    return replace(found, **changes)


def assert_good(messages: list[dict]) -> None:
    assert 1 <= len(messages) <= 5
    for message in messages:
        assert problems_of(message) == []
        assert "{" not in "".join(texts_in(message))


def every_state(goal: int) -> list[CardFace]:
    extra = (Reward(at=max(1, goal // 2), name="🎁" * 40), Reward(at=goal, name="上"))
    return [
        face(balance, goal, state=state, vouchers=vouchers, expires_at=until)
        for balance, state, vouchers, until in product(
            {0, goal // 2, goal},
            ("active", "paused", "stopped", "expired"),
            ((), tuple(voucher(n) for n in range(8))),
            (None, NOW),
        )
    ] + [face(0, goal, rewards=extra), face(goal, goal, rewards=extra)]


@pytest.mark.parametrize("goal", [1, 2, 3, 5, 7, 10, 11, 20, 21, 30, 31, 50])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_card_of_any_size_and_state_is_a_message_that_line_takes(goal, language):
    for one in every_state(goal):
        assert_good(replies.show_cards([one], reader(language)))


def test_every_place_of_the_card_is_drawn_in_rows_of_five():
    for goal in range(1, 51):
        bubble = card_bubble(face(1, goal), "ja", wallet_url=None, card_url=None)
        rows = bubble["body"]["contents"][0]["contents"]
        assert [len(row["contents"]) for row in rows[:-1]] == [5] * (len(rows) - 1)
        assert sum(len(row["contents"]) for row in rows) == goal


def test_stamped_places_are_filled_with_the_merchant_s_colour():
    bubble = card_bubble(face(3), "ja", wallet_url=None, card_url=None)
    rows = bubble["body"]["contents"][0]["contents"]
    cells = [cell for row in rows for cell in row["contents"]]
    filled = [cell["backgroundColor"] == "#5A3A22" for cell in cells]
    assert filled == [True] * 3 + [False] * 7
    assert [texts_in(cell)[0] for cell in cells[2:5]] == ["☕", "4", "5"]
    assert texts_in(cells[-1]) == ["GOAL"]
    assert cells[-1]["borderColor"] == "#5A3A22"
    assert not any("borderColor" in cell for cell in cells[:-1])


@given(
    st.from_regex(r"\A#[0-9A-F]{6}\Z"),
    st.from_regex(r"\A#[0-9A-F]{6}\Z"),
    st.sampled_from([*GLYPHS, "picture:" + "a" * 64, "unknown"]),
)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_colours_give_text_that_can_be_read(background, foreground, icon):
    look = Look(background=background, foreground=foreground, icon=icon)
    (message,) = replies.show_cards([face(5, look=look)], reader())
    assert problems_of(message) == []
    header = message["contents"]["header"]
    for text in header["contents"]:
        assert contrast_ratio(text["color"], header["backgroundColor"]) >= 4.5
    for text in message["contents"]["body"]["contents"][1:3]:
        assert contrast_ratio(text["color"], "#FFFFFF") >= 4.5


def test_what_the_bubble_says_the_alt_text_says_in_words():
    one = face(7, vouchers=(voucher(),), expires_at=CUT_OFF + timedelta(days=200))
    (message,) = replies.show_cards([one], reader())
    assert message["altText"].split("\n") == [
        "コーヒーカード",
        "10個中7個 あと3個",
        "あと3個で「コーヒー1杯」",
        "特典「コーヒー1杯」 No.0001 (2027/2/20まで)",
        "有効期限 2027/6/10",
    ]
    shown = texts_in(message)
    for line in message["altText"].split("\n")[:4]:
        assert line in shown
    assert "2027/6/10" in shown
    assert "1234-5678" in shown


def test_the_buttons_lead_to_the_wallet_page_outside_of_line_and_to_the_card():
    (message,) = replies.show_cards([face()], reader())
    wallet, card = message["contents"]["footer"]["contents"]
    assert wallet["action"]["label"] == "Apple / Google Walletに追加"
    url = wallet["action"]["uri"]
    assert url.startswith("https://stamps.example.jp/w/")
    assert url.endswith("?openExternalBrowser=1")
    token = url.split("/w/")[1].split("?")[0]
    life = timedelta(days=1)
    now = datetime.now(UTC)
    assert LINKS.read("wallet", token, lives=life, now=now) == face().code
    assert card["action"]["uri"] == "https://stamps.example.jp/c/" + "c" * 22


def test_without_a_wallet_to_go_to_there_is_no_button_for_it():
    (message,) = replies.show_cards([face()], reader(has_wallet=False))
    (button,) = message["contents"]["footer"]["contents"]
    assert "/c/" in button["action"]["uri"]


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 40])
@pytest.mark.parametrize("goal", [10, 50])
def test_any_number_of_cards_fits_line_s_carousel(n: int, goal: int):
    vouchers = tuple(voucher(i, "特" * 60) for i in range(20))
    faces = [
        face(4, goal, program_name=f"カード{i}", vouchers=vouchers) for i in range(n)
    ]
    for messages in (
        replies.show_cards(faces, reader()),
        replies.show_member(faces, reader()),
        replies.show_vouchers(faces, reader()),
        replies.show_history(faces, [[entry(e) for e in range(10)]] * n, reader()),
        replies.welcome(faces, reader("en"), again=True),
    ):
        assert_good(messages)
        shown = messages[0]["contents"].get("contents", [messages[0]["contents"]])
        if len(shown) < n:
            assert str(n - len(shown)) in messages[1]["text"]


def test_twelve_ordinary_cards_are_all_shown():
    faces = [face(4, program_name=f"カード{i}") for i in range(12)]
    (message,) = replies.show_cards(faces, reader())
    assert len(message["contents"]["contents"]) == 12


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_refusal_says_why_with_and_without_a_card(why: Why, language):
    outcome = Refused(why=why, retry_at=datetime(2026, 11, 23, 20, 0, tzinfo=UTC))
    for faces in ([], [face()], [face(), face(2)]):
        messages = replies.after_grant(outcome, faces, reader(language))
        assert_good(messages)
        first = texts_in(messages[0])[0]
        assert first
        if faces:
            assert messages[0]["altText"].startswith(first)
    if why in (Why.already_today, Why.too_soon, Why.daily_cap, Why.too_many_tries):
        assert ("11/24 5:00" if language == "ja" else "Nov 24, 05:00") in first


def test_a_refusal_looks_different_from_a_stamp():
    no = replies.after_grant(Refused(why=Why.used_code), [face()], reader())
    yes = replies.after_grant(granted(), [face()], reader())
    colours = [m[0]["contents"]["header"]["backgroundColor"] for m in (no, yes)]
    assert colours[0] != colours[1] == "#5A3A22"


@pytest.mark.parametrize(
    ("outcome", "language", "title"),
    [
        (granted(), "ja", "スタンプ1個を付与しました"),
        (granted(stamps=3), "ja", "スタンプ3個を付与しました"),
        (granted(), "en", "1 stamp for you"),
        (granted(stamps=3), "en", "3 stamps for you"),
        (granted(completed=True), "en", "Congratulations!\n1 stamp for you"),
    ],
)
def test_a_stamp_is_said_first_in_one_line(outcome, language, title: str):
    messages = replies.after_grant(outcome, [face()], reader(language))
    assert_good(messages)
    assert texts_in(messages[0])[0] == title
    assert messages[0]["altText"].startswith(title)


GOLD = CardId("gold")


def full_and_gold(**changes) -> list[CardFace]:
    """A card that has just ranked up, and the one that began with its surplus."""
    old = face(10, next_program_name="ゴールドカード", next_card_id=GOLD, **changes)
    gold = face(1, card_id=GOLD, program_name="ゴールドカード")
    return [old, gold]


@pytest.mark.parametrize(
    ("language", "title"),
    [
        (
            "ja",
            "おめでとうございます！ゴールドカードが始まりました\nスタンプ2個を付与しました",
        ),
        ("en", "Congratulations! Your ゴールドカード has begun\n2 stamps for you"),
    ],
)
def test_a_rank_up_card_comes_first_and_the_full_one_with_it(language, title):
    faces = full_and_gold(vouchers=(voucher(1),))
    outcome = granted(
        card_id=faces[0].card_id,
        stamps=2,
        completed=True,
        vouchers=(VoucherId("v1"),),
        next_card_id=GOLD,
    )
    # In whatever order they are looked up.
    for looked_up in (faces, faces[::-1]):
        messages = replies.after_grant(outcome, looked_up, reader(language))
        assert_good(messages)
        new, old = messages[0]["contents"]["contents"]
        head, detail = (part["text"] for part in new["header"]["contents"][:2])
        assert head == title
        assert "No.0001" in detail or "no. 0001" in detail
        assert texts_in(old)[0] == "コーヒーカード"
        assert messages[0]["altText"].startswith(title)


def test_a_purchase_below_one_stamp_says_how_much_is_missing():
    one = face(spend=Spend(per=1500), remainder=180)
    outcome = granted(card_id=one.card_id, stamps=0)
    for language, title in (
        ("ja", "あと¥1,320でスタンプ1個です"),
        ("en", "¥1,320 more for your next stamp"),
    ):
        messages = replies.after_grant(outcome, [one], reader(language))
        assert_good(messages)
        assert texts_in(messages[0])[0] == title
    # The rule may have gone since.
    messages = replies.after_grant(outcome, [face()], reader())
    assert texts_in(messages[0])[0] == "お会計を記録しました"


def test_double_hours_are_said_with_the_stamps():
    for doubled in (True, False):
        outcome = granted(stamps=2, doubled=doubled)
        messages = replies.after_grant(outcome, [face()], reader())
        assert_good(messages)
        assert ("2倍" in messages[0]["altText"]) is doubled


def test_a_card_that_handed_on_its_stamps_is_left_out_of_lists():
    old, gold = full_and_gold()
    refused = Refused(why=Why.unknown_code)
    lists = (
        lambda faces: replies.show_cards(faces, reader()),
        lambda faces: replies.show_member(faces, reader()),
        lambda faces: replies.show_vouchers(faces, reader()),
        lambda faces: replies.welcome(faces, reader(), again=True),
        lambda faces: replies.after_grant(refused, faces, reader()),
    )
    for shown in lists:
        alone = shown([gold])
        assert shown([old, gold]) == alone
        # Where it is all there is, or still has something to use, it is shown.
        assert "10個たまりました" in shown([old])[0]["altText"]
        kept = replace(old, vouchers=(voucher(),))
        assert "10個たまりました" in shown([kept, gold])[0]["altText"]
    # What happened on it stays in the history.
    both = replies.show_history([old, gold], [[entry()], []], reader())
    assert len(both[0]["contents"]["contents"]) == 2


def test_a_full_card_names_its_voucher_and_thanks_in_the_merchant_s_words():
    one = face(10, vouchers=(voucher(1), voucher(2)), thanks="またどうぞ!")
    outcome = granted(completed=True, vouchers=(VoucherId("v2"),))
    messages = replies.after_grant(outcome, [one], reader())
    assert_good(messages)
    detail = texts_in(messages[0])[1]
    assert "特典「コーヒー1杯」をお使いいただけます(No.0002)" in detail
    assert "No.0001" not in detail
    assert detail.endswith("またどうぞ!")


def entry(number: int = 0, kind="stamp") -> Entry:
    return Entry(
        id=EntryId(f"e{number}"),
        card_id=CardId("c1"),
        kind=kind,
        stamps=1 - number,
        balance=number,
        how="line",
        at=NOW,
        version=1,
        shop_id=ShopId("s1") if number % 2 else None,
    )


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_kind_of_entry_has_its_word(language):
    entries = [entry(n, kind) for n, kind in enumerate(get_args(EntryKind))]
    messages = replies.show_history([face()], [entries], reader(language))
    assert_good(messages)
    words = [say_entry(each, language) for each in entries]
    assert len(set(words)) == len(words)
    assert_good(replies.show_history([face()], [[]], reader(language)))


SAID = [
    ("stamp", "claim", "付け忘れの分", "Missed stamp"),
    ("adjust", "paper", "紙のカードから", "From a paper card"),
    ("bonus", "referral", "お友だち紹介", "For a friend's visit"),
    ("bonus", "birthday", "お誕生日の特典", "Birthday reward"),
    ("merge", "link", "カードの連携", "Cards linked"),
    ("merge", "rule", "カードの統合", "Cards merged"),
    # What is taken back, or moves on, says that and not how it once came.
    ("undo", "claim", "取り消し", "Taken back"),
    ("undo", "link", "取り消し", "Taken back"),
    ("rollover", "paper", "次のカードへ", "On to the next card"),
    ("bonus", "join", "取得ボーナス", "Welcome bonus"),
]


@pytest.mark.parametrize(("kind", "how", "japanese", "english"), SAID)
def test_the_history_says_where_a_stamp_came_from(kind, how, japanese, english):
    line = replace(entry(2, kind), how=how)
    for language, words in (("ja", japanese), ("en", english)):
        messages = replies.show_history([face()], [[line]], reader(language))
        assert any(t.startswith(f"{words} -1 → 2") for t in texts_in(messages))


@pytest.mark.parametrize("kind", get_args(EntryKind))
@pytest.mark.parametrize("how", get_args(How))
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_line_of_the_ledger_has_words(kind, how, language):
    assert say_entry(replace(entry(1, kind), how=how), language)


def test_a_purchase_is_in_the_history_with_its_amount():
    line = replace(entry(1), amount=1850)
    for language, words in (
        ("ja", "お会計 ¥1,850 → 1個 (本店)"),
        ("en", "Purchase of ¥1,850 → 1 (本店)"),
    ):
        messages = replies.show_history([face()], [[line]], reader(language))
        assert words in texts_in(messages)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_other_message_is_one_that_line_takes(language):
    who = reader(language)
    for messages in (
        replies.explain(who),
        replies.decline_group(who),
        replies.no_cards(who),
        replies.welcome([face()], who, again=False),
        replies.welcome([], who, again=False),
        replies.show_vouchers([face()], who),
        replies.show_vouchers([face(vouchers=(voucher(),))], who),
        replies.show_member([face()], who),
        replies.in_plain_words(replies.show_cards([face()], who)),
    ):
        assert_good(messages)


def test_the_words_on_the_quick_buttons_are_words_that_work():
    from tests.bot.test_dialogue import asked

    for language in ("ja", "en"):
        (message,) = replies.explain(reader(language))
        for item in message["quickReply"]["items"]:
            assert item["action"]["text"] in message["text"]
            assert type(asked(item["action"]["text"])).__name__ == "Show"


@given(st.text(max_size=300), st.text(max_size=300))
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_merchant_calls_things_stays_a_message_that_line_takes(name, shop):
    one = face(
        program_name=name,
        merchant_name=shop,
        thanks=name,
        rewards=(Reward(at=10, name=shop),),
        vouchers=(voucher(1, name),),
    )
    for language in ("ja", "en"):
        messages = replies.after_grant(granted(), [one], reader(language))
        assert problems_of(messages[0]) == []
    assert card_in_words(one, "ja")
