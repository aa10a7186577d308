"""Features 2 and 5: the card in pictures and in words, and many cards at once."""

from __future__ import annotations

import json

import pytest

from core.actions.cards import cards_of_person
from core.rules.types import Expiry, Limit, Reward
from tests.builders import coffee
from tests.stories.at_line import follow, said, scan, shop_on_line

YEAR = coffee(
    limit=Limit(),
    expires=Expiry(kind="after_last", months=12),
    rewards=(Reward(at=5, name="クッキー1枚"), Reward(at=10, name="コーヒー1杯")),
)


@pytest.fixture
def parts(settings, db, vault, clock, links):
    return {
        "settings": settings,
        "db": db,
        "vault": vault,
        "clock": clock,
        "links": links,
    }


def filled(message) -> int:
    """How many places of the drawn card are stamped: those wear the card's colour."""
    circles = [
        box
        for box in _boxes(message["contents"])
        if box.get("cornerRadius") and box.get("width") == box.get("height")
    ]
    colours = [box.get("backgroundColor") for box in circles]
    return sum(colour == colours[0] for colour in colours)


def _boxes(part):
    if isinstance(part, dict):
        if part.get("type") == "box":
            yield part
        for value in part.values():
            yield from _boxes(value)
    elif isinstance(part, list):
        for one in part:
            yield from _boxes(one)


async def test_the_card_says_in_words_what_it_shows(parts):
    async with shop_on_line([("coffee", YEAR)], **parts) as house:
        mika = house.friend()
        await scan(house, mika, 3)
        card = await house.ask(mika, "カード")

        assert filled(card) == 3
        for words in ("10個中3個 あと7個", "2027/11/23", "あと2個で「クッキー1枚」"):
            assert words in said(card)
            assert words in card["altText"]

        # One more changes picture and words alike.
        card = await scan(house, mika)
        assert filled(card) == 4
        assert "10個中4個 あと6個" in card["altText"]


async def test_fourteen_cards_are_one_carousel_and_a_word_about_the_rest(parts):
    programs = [
        (f"card{n}" if n else "coffee", coffee(name=f"{n + 1}号カード", goal=20))
        for n in range(14)
    ]
    async with shop_on_line(programs, **parts) as house:
        mika = house.line.add_person("美香")
        rest = await follow(house, mika)
        cards, _ = [item.message for item in house.answers(mika)]

        assert cards["contents"]["type"] == "carousel"
        assert len(cards["contents"]["contents"]) == 12
        assert len(json.dumps(cards["contents"]).encode()) <= 50 * 1024
        assert "12号カード" in said(cards)
        assert said(rest) == "ほかに2枚のカードがあります。"
        found = (house.shop.merchant.id, mika, house.clock.now())
        assert len(await house.db.read(cards_of_person, *found)) == 14


async def test_what_is_more_than_a_full_card_begins_the_next(parts):
    small = coffee(goal=3, limit=Limit(), rewards=(Reward(at=3, name="コーヒー1杯"),))
    async with shop_on_line([("coffee", small)], **parts) as house:
        mika = house.friend()
        await scan(house, mika, 2)
        message = await scan(house, mika, 5)

        # 2 + 5 = two full cards and one stamp: nothing is lost and nobody waits.
        assert said(message).startswith("おめでとうございます！")
        assert "3個中1個 あと2個" in message["altText"]
        vouchers = said(await house.ask(mika, "特典"))
        assert vouchers.count("コーヒー1杯") == 2
        assert await house.stamps() == 7
