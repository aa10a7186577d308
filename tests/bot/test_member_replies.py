"""The way to the 会員証 page, and the answer once a reward was used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot import replies, voucher_replies
from core.rules.redeeming import Redemption, RedemptionId
from core.rules.types import CardId, EntryId, MerchantId, StaffId
from tests.bot.line_house import texts_in
from tests.bot.taps import link_in
from tests.bot.test_replies import (
    LINKS,
    NOW,
    assert_good,
    face,
    full_and_gold,
    reader,
    voucher,
)


def asked(**changes) -> Redemption:
    found = Redemption(
        id=RedemptionId("r1"),
        merchant_id=MerchantId("m1"),
        voucher_id=voucher().id,
        card_id=CardId("c1"),
        state="waiting",
        asked_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
    )
    return replace(found, **changes)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_number_stays_in_words_and_the_page_is_the_first_button(language):
    (message,) = replies.show_member([face()], reader(language))
    assert_good([message])
    url = message["contents"]["footer"]["contents"][0]["action"]["uri"]
    assert url == link_in(message, "/m/")
    assert len(url) < 1000
    assert "openExternalBrowser" not in url
    token = url.rpartition("/")[2]
    card = LINKS.read("member", token, lives=timedelta(minutes=10), now=NOW)
    assert card == face().card_id
    # On a PC there is nobody to show it to: the words are enough.
    assert "1234-5678" in message["altText"]
    assert "1234-5678" in texts_in(message)[0]


def test_of_several_cards_the_first_has_the_button():
    (message,) = replies.show_member(list(full_and_gold()), reader())
    gold = message["contents"]
    assert "/m/" in gold["footer"]["contents"][0]["action"]["uri"]
    (message,) = replies.show_member([face(), face()], reader())
    first, second = message["contents"]["contents"]
    assert "/m/" in first["footer"]["contents"][0]["action"]["uri"]
    assert "/m/" not in str(second)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_was_used_says_when_in_the_shops_zone(language):
    one = face(10, vouchers=(voucher(2),))
    messages = replies.after_use(NOW, voucher(), one, reader(language))
    assert_good(messages)
    clock = NOW + timedelta(hours=9)
    title = texts_in(messages[0])[0]
    assert f"{clock:%H:%M} No.0001" in title
    assert messages[0]["altText"].startswith(title)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_end_of_a_request_has_its_words(language):
    said = set()
    for one in (
        asked(),
        asked(state="done", entry_id=EntryId("e1")),
        asked(state="expired"),
        asked(state="cancelled"),
        asked(state="cancelled", staff_id=StaffId("s1")),
    ):
        messages = voucher_replies.after_ask(one, voucher(), face(), reader(language))
        assert_good(messages)
        said.add(texts_in(messages[0])[0])
    assert len(said) == 5
