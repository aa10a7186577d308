"""News on passes: a lock screen says it once, and the pass keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.rules.reminding import LastNews, News
from passes.apple.pass_json import draw_pass
from passes.google.objects import loyalty_object
from tests.passes.faces import make_face
from tests.passes.google_cards import HELD

ENDS = datetime(2026, 12, 1, 20, tzinfo=UTC)
NEWS = News(
    kind="expiry",
    card="コーヒーカード",
    name="",
    stamps=7,
    ends_at=ENDS,
    days_left=3,
)
SAID = LastNews(NEWS, datetime(2026, 11, 28, 1, 20, tzinfo=UTC), is_new=True)


def apple(face):
    return draw_pass(
        face,
        serial="s",
        auth_token="a" * 16,
        pass_type_id="pass.x",
        team_id="T",
        public_url="https://x.example",
        card_url="https://x.example/c/1",
    )


def field(content):
    back = content.info["storeCard"]["backFields"]
    return next(each for each in back if each["key"] == "news")


def test_apples_field_is_always_there_and_rings_only_when_it_says_something():
    before, after = field(apple(make_face())), field(apple(make_face(news=SAID)))
    assert before["value"] == "お知らせはまだありません"
    assert "changeMessage" not in before
    assert after["value"] == (
        "11/28 コーヒーカード: スタンプ7個の有効期限は12/1(あと3日)です。"
    )
    assert after["changeMessage"] == "%@"


def messages(content):
    """The keys of the fields that a lock screen would tell of."""
    card = content.info["storeCard"]
    fields = [each for group in card.values() for each in group]
    return [each["key"] for each in fields if "changeMessage" in each]


def test_with_the_next_stamp_the_count_alone_changes_and_rings():
    fresh, later = (
        make_face(3, news=SAID),
        make_face(4, news=replace(SAID, is_new=False)),
    )
    assert messages(apple(make_face(3))) == ["stamps"]
    assert messages(apple(fresh)) == ["news"]
    assert messages(apple(later)) == ["stamps"]
    assert field(apple(fresh))["value"] == field(apple(later))["value"]


def test_an_english_phone_reads_it_in_english():
    content = apple(make_face(news=SAID, languages=("ja", "en")))
    said = content.strings["en"][field(content)["value"]]
    assert said == "Nov 28: コーヒーカード: 7 stamps valid until Dec 1 (3 days left)."


def test_google_shows_it_inside_the_card():
    urls = {"card_url": "https://x.example/c/1", "hero_url": "https://x.example/h.png"}

    def texts(face):
        thing = loyalty_object(face, HELD, issuer_id="1", **urls)
        return {each["id"]: each["body"] for each in thing["textModulesData"]}

    assert "news" not in texts(make_face())
    assert "あと3日" in texts(make_face(news=SAID))["news"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days_left": 0}, "スタンプ7個の有効期限は12/1(今日まで)です。"),
        (
            {"kind": "voucher", "name": "茶"},
            "特典「茶」の有効期限は12/1(あと3日)です。",
        ),
        (
            {"kind": "birthday", "name": "茶"},
            "特典「茶」を12/1までお使いいただけます。",
        ),
        (
            {"kind": "birthday", "name": "茶", "ends_at": None, "days_left": 0},
            "特典「茶」をお使いいただけます。",
        ),
        # Far ahead, a day without its year could be that of another one.
        ({"kind": "birthday", "name": "茶", "days_left": 200}, "2026/12/1まで"),
    ],
)
def test_every_kind_has_its_words(changes, said):
    news = replace(NEWS, **changes)
    value = field(apple(make_face(news=replace(SAID, news=news))))["value"]
    assert said in value
