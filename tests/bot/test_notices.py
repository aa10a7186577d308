"""What is said of notices in the chat, with the longest names that there may be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.limits import MESSAGES
from bot.notices import draw_push, has_room, list_choices, with_news
from bot.notify_replies import after_choice, show_choices
from bot.wishes import ChooseNews, TellBirthday, tapped_wish
from core.rules.reminding import KINDS, News
from tests.bot.sdk_models import problems_of
from tests.bot.taps import taps_in
from tests.bot.test_replies import reader

ENDS = datetime(2026, 12, 1, 20, tzinfo=UTC)
LONG = "👨‍👩‍👧‍👦特" * 200


def news(kind="expiry", **changes):
    values = {"card": LONG, "name": LONG, "stamps": 50, "ends_at": ENDS, "days_left": 3}
    return News(kind=kind, **(values | changes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_pushes_and_answers_are_what_line_takes(kind, language):
    who = reader(language)
    [push] = draw_push(news(kind), who.merchant, language)
    assert problems_of(push) == []
    answer = [{"type": "text", "text": "x", "quickReply": {"items": []}}]
    first, last = with_news(answer, [news(kind)] * 5, "Asia/Tokyo", language)
    assert problems_of(first) == []
    assert last == answer[0]


def test_a_full_answer_has_no_room_and_silence_stays_silent():
    message = {"type": "text", "text": "x"}
    assert not has_room([])
    assert has_room([message])
    assert not has_room([message] * MESSAGES)
    full = [message] * MESSAGES
    assert with_news(full, [news()], "Asia/Tokyo", "ja") == full
    assert with_news([message], [], "Asia/Tokyo", "ja") == [message]


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("muted", [(), KINDS, ("voucher",)])
def test_choices_are_what_line_takes_and_lead_where_they_say(language, muted):
    [message] = show_choices(KINDS, muted, reader(language))
    assert problems_of(message) == []
    wishes = [tapped_wish(action["data"]) for action in taps_in(message, "news")]
    assert wishes == [ChooseNews(kind, kind in muted) for kind in KINDS]


def test_a_kind_that_is_no_more_offered_can_still_be_answered():
    [message] = after_choice("birthday", (), ("birthday",), reader("ja"))
    assert problems_of(message) == []
    assert "「お誕生日の特典」をオフにしました。" in str(message)


def test_without_kinds_there_is_nothing_to_list():
    assert list_choices((), (), "ja") == ""
    [message] = show_choices((), (), reader("ja"))
    assert "このトークへのお返事だけです" in message["text"]


@pytest.mark.parametrize(
    "data",
    ["a=news", "a=news&k=spam&on=1", "a=news&k=expiry", "a=news&k=expiry&on=2", "a=x"],
)
def test_other_data_is_no_wish(data):
    assert tapped_wish(data) is None


def test_days_are_still_birthdays():
    assert tapped_wish("a=birthday&d=12-24") == TellBirthday(month=12, day=24)
