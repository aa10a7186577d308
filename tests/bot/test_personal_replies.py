"""Answers about somebody's own affairs at their longest: LINE takes them all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bot import claim_replies, friend_replies, personal_replies, voucher_replies
from core.actions.link import CardSum
from core.rules.claiming import Attempt, Claim, ClaimView
from core.rules.linking import Link, LinkId
from core.rules.redeeming import Redemption, RedemptionId
from core.rules.types import (
    CardId,
    ClaimId,
    CustomerId,
    Gift,
    MerchantId,
    Program,
    ProgramId,
    VoucherId,
    Why,
)
from tests.bot.line_house import texts_in
from tests.bot.sdk_models import problems_of
from tests.bot.taps import actions_in, taps_in
from tests.bot.test_replies import MERCHANT, NOW, face, reader, voucher
from tests.builders import coffee

# As long as a merchant may name things, in letters that take the most room.
NAME = "𠮷" * 40
LANGUAGES = pytest.mark.parametrize("language", ["ja", "en"])


def assert_good(messages) -> None:
    assert len(messages) <= 5
    for message in messages:
        assert problems_of(message) == []


def crowded(n: int = 20):
    """Cards with long names and a dozen vouchers each."""
    vouchers = tuple(voucher(k, NAME) for k in range(15))
    return [
        face(card_id=CardId(f"{k:026d}"), program_name=NAME, vouchers=vouchers)
        for k in range(n)
    ]


@LANGUAGES
def test_every_voucher_has_its_button(language):
    who = reader(language)
    one = face(vouchers=(voucher(1), voucher(2)))
    messages = voucher_replies.list_vouchers([one], who)
    assert_good(messages)
    data = [action["data"] for action in taps_in(messages[0], "use")]
    assert data == ["a=use&v=v1", "a=use&v=v2"]
    assert_good(voucher_replies.list_vouchers(crowded(), who))


@LANGUAGES
@pytest.mark.parametrize("state", ["waiting", "done", "expired", "cancelled"])
def test_a_request_says_where_it_stands(language, state):
    asked = Redemption(
        id=RedemptionId("0" * 26),
        merchant_id=MerchantId("1" * 26),
        voucher_id=VoucherId("v1"),
        card_id=CardId("c1"),
        state=state,
        asked_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
    )
    who = reader(language)
    messages = voucher_replies.after_ask(asked, voucher(1, NAME), face(), who)
    assert_good(messages)
    has_page = any(a.get("uri", "").find("/v/") > 0 for a in actions_in(messages))
    assert has_page == (state == "waiting")
    assert_good(voucher_replies.after_stop(who))


def claim_view(**changes) -> ClaimView:
    values = {
        "id": ClaimId("cl"),
        "customer_id": CustomerId("cu"),
        "card_id": CardId("c1"),
        "text": "",
        "refusals": (),
        "state": "open",
        "made_at": NOW,
    }
    program = Program(
        id=ProgramId("p1"),
        merchant_id=MERCHANT.id,
        key="coffee",
        state="active",
        version=1,
        design=coffee(name=NAME),
    )
    claim = Claim(**(values | changes))
    return ClaimView(claim=claim, customer_name="", member_no="", program=program)


@LANGUAGES
@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_a_short_word_in_a_claim(language, why):
    tried = (Attempt(at=NOW, why=why, code="X"),) * 20
    messages = claim_replies.after_claim(claim_view(refusals=tried), reader(language))
    assert_good(messages)
    assert len(texts_in(messages)[0].splitlines()) == 9


@LANGUAGES
def test_the_choice_of_twenty_cards_carries_what_fits_of_the_words(language):
    who, words = reader(language), "あ" * 200
    two = claim_replies.ask_which_card(crowded(2), words, who)
    assert_good(two)
    assert [words in tap["data"] for tap in taps_in(two[0], "claim")] == [True, True]
    many = claim_replies.ask_which_card(crowded(), "𠮷" * 200, who)
    assert_good(many)
    assert len(taps_in(many[0], "claim")) == 20


@LANGUAGES
def test_claims_leaving_linking_and_data_at_their_longest(language):
    who, cards = reader(language), crowded()
    decided = claim_view(state="rejected", answer="あ" * 200)
    silent = claim_view(state="rejected")
    said = claim_replies.say_claims([decided, silent, claim_view()] * 2, who)
    assert len(said.splitlines()) == 7
    assert claim_replies.say_claims([], who) == ""
    total = CardSum(
        program_name=NAME,
        goal=10,
        theirs=3,
        yours=4,
        balance=7,
        completed=True,
        rewards=(NAME,) * 5,
        vouchers=(NAME,) * 5,
    )
    link = Link(
        id=LinkId("l"),
        merchant_id=MERCHANT.id,
        from_id=CustomerId("a"),
        to_id=CustomerId("b"),
        moved=(),
        linked_at=NOW,
    )
    known = personal_replies.Known(
        name=NAME,
        member_no="1234-5678",
        since=NOW,
        birthday="02-29",
        referral_code="7K3Q9FJ2",
        n_linked=3,
        n_claims=2,
        faces=tuple(cards),
    )
    token = "x" * 170
    for messages in (
        personal_replies.ask_to_leave(cards, token, who),
        personal_replies.ask_to_link([total] * 5, token, who),
        personal_replies.ask_to_link([], token, who),
        personal_replies.ask_to_unlink([(link, token)] * 9, who),
        personal_replies.show_data(known, who),
    ):
        assert_good(messages)


@LANGUAGES
@pytest.mark.parametrize("why", list(Why))
def test_whatever_refuses_a_code_is_explained(language, why):
    assert_good(personal_replies.why_not_linked(why, reader(language)))
    assert_good(friend_replies.why_no_code(why, reader(language)))


@LANGUAGES
def test_friends_and_birthdays_at_their_longest(language):
    who = reader(language)
    designs = [coffee(name=NAME, referral=2, birthday=Gift(name=NAME))] * 20
    link = "https://line.me/R/oaMessage/%40aozora1234567890/?" + "%E7%B4%B9" * 8
    for messages in (
        friend_replies.show_code(designs, "7K3Q9FJ2", link, who),
        friend_replies.after_code(designs, who),
        friend_replies.ask_birthday(designs, "05-03", who),
        friend_replies.ask_birthday(designs, "", who),
        friend_replies.ask_whether_birthday(5, 3, who),
        friend_replies.after_birthday(5, 3, date(2027, 5, 3), designs, who),
    ):
        assert_good(messages)


def test_the_share_link_fits_for_a_shop_with_a_long_name():
    from dataclasses import replace

    who = replace(reader("ja"), merchant=replace(MERCHANT, name="株式会社" * 10))
    link = "https://line.me/R/oaMessage/%40aozora/?%E7%B4%B9%E4%BB%8B%207K3Q9FJ2"
    (message,) = friend_replies.show_code([coffee(referral=1)], "7K3Q9FJ2", link, who)
    assert any("/R/share" in a.get("uri", "") for a in actions_in(message))
