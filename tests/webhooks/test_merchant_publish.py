"""The page before publishing: both choices, what each does, and doing it."""

from __future__ import annotations

import re

import pytest

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.publish import load_program, save_draft
from core.rules.asking import StampAsk
from core.rules.types import Expiry, Limit, Reward
from tests.builders import build_shop, coffee, person
from tests.webhooks.desk import at_desk

OWNER = "owner@aozora.jp"
REWARDS = (Reward(at=5, name="クッキー"), Reward(at=10, name="コーヒー1杯"))
DESIGN = coffee(limit=Limit(), rewards=REWARDS)
SHORTER = coffee(goal=8, limit=Limit(), rewards=(Reward(at=8, name="豆"),))


def address(shop):
    return f"/merchant/cards/{shop.program.id}/publish"


async def built(db, vault, clock, *stamps):
    """A shop with cards of so many stamps each."""
    shop = await build_shop(db, vault, clock.now(), design=DESIGN)
    cards = []
    for number, count in enumerate(stamps):
        cards += await db.write(
            follow, shop.merchant.id, person(number), f"f{number}", clock.now()
        )
        ask = StampAsk(
            merchant_id=shop.merchant.id,
            key=f"k{number}",
            how="till",
            card_id=cards[-1],
            stamps=count,
        )
        await db.write(grant_stamps, ask, clock.now())
    return shop, cards


async def draft(db, shop, clock, design):
    ids = (shop.merchant.id, shop.program.id)
    await db.write(save_draft, *ids, design, shop.owner.id, clock.now())


async def view(db, shop, card_id, clock):
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


def form(page, **typed):
    """The fields of the form, wherever on the page they are; the checked choice."""
    own = page[page.index('<form class="bar"') :]
    found = dict(re.findall(r'name="(csrf|draft)" value="([^"]*)"', own))
    checked = re.findall(r'name="cards" value="(\w+)"[^>]* checked', page)
    return found | {"cards": checked[0]} | typed if checked else found | typed


async def test_both_choices_say_what_they_do_and_moving_is_the_usual_one(
    db, vault, settings, clock
):
    shop, _ = await built(db, vault, clock, 2, 6, 9)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))

        for text in (
            "発行済みのカードも新しくする",
            "カード3枚が新しい内容になります",
            "1人が特典を得ます",
            # Two of ten were three stamps from a cookie, and are six from the beans.
            "1人が特典を失います",
            "これから発行するカードだけ新しくする",
            "カード3枚は、いまの内容のままです",
            "特典を得る人も、失う人もいません",
            "そのまま残ります",
        ):
            assert text in desk.page, text
        assert form(desk.page)["cards"] == "move"


async def test_moving_reaches_the_cards_that_are_there(db, vault, settings, clock):
    shop, cards = await built(db, vault, clock, 2, 9)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))
        await desk.send(address(shop), form(desk.page))

        assert "お客様のカードに順に届きます" in desk.page
    found = await view(db, shop, cards[1], clock)
    assert (found.card.version, found.face.goal, found.card.balance) == (2, 8, 1)


async def test_keeping_leaves_them_and_says_so(db, vault, settings, clock):
    shop, cards = await built(db, vault, clock, 2, 9)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))
        await desk.send(address(shop), form(desk.page, cards="keep"))

        assert "これから発行するカードが新しい内容になります" in desk.page
    found = await view(db, shop, cards[1], clock)
    assert (found.card.version, found.face.goal, found.card.balance) == (1, 10, 9)
    program = await db.read(load_program, shop.merchant.id, shop.program.id)
    assert (program.version, program.design) == (2, SHORTER)


async def test_a_choice_that_is_none_moves_as_the_page_has_always_done(
    db, vault, settings, clock
):
    shop, cards = await built(db, vault, clock, 2)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))
        await desk.send(address(shop), form(desk.page, cards="<b>"))

        assert desk.status == 200
    assert (await view(db, shop, cards[0], clock)).card.version == 2


async def test_a_draft_that_moved_meanwhile_keeps_the_choice(
    db, vault, settings, clock
):
    shop, _ = await built(db, vault, clock, 2)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))
        typed = form(desk.page, cards="keep")
        await draft(db, shop, clock, coffee(goal=3, rewards=()))

        await desk.send(address(shop), typed)

        assert desk.status == 409
        assert form(desk.page)["cards"] == "keep"


async def test_that_an_end_only_moves_away_is_said_where_it_changes(
    db, vault, settings, clock
):
    shop, _ = await built(db, vault, clock, 2)
    told = "短くはなりません"
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await draft(db, shop, clock, SHORTER)
        await desk.get(address(shop))
        assert told not in desk.page

        shorter = Expiry(kind="after_last", months=1)
        await draft(db, shop, clock, coffee(limit=Limit(), expires=shorter))
        await desk.get(address(shop))
        assert told in desk.page


async def test_without_cards_there_is_nothing_to_choose(db, vault, settings, clock):
    shop, _ = await built(db, vault, clock)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(address(shop))
        assert "発行済みのカードはまだありません" in desk.page
        assert 'name="cards"' not in desk.page

        await desk.send(address(shop), form(desk.page))
        assert "公開しました" in desk.page


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_in_english_one_person_is_one(db, vault, settings, clock):
    shop, _ = await built(db, vault, clock, 9)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        csrf = {"csrf": desk.csrf, "language": "en", "next": address(shop)}
        await desk.send("/merchant/language", csrf)

        for text in (
            "1 card gets the new design",
            "1 person gains a reward",
            "Nobody loses a reward",
            "1 card stays as it is",
        ):
            assert text in desk.page, text


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_home_counts_the_cards_without_asking_what_publishing_does(
    db, vault, settings, clock
):
    shop, _ = await built(db, vault, clock, 2, 6, 9)
    await draft(db, shop, clock, SHORTER)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)

        assert "発行中のカード 3枚" in desk.page
        assert "3枚発行" in desk.page
