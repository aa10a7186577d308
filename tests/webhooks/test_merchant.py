"""The settings page over real HTTP: who may, drafts, publishing, wrong input."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.publish import load_program, save_draft
from core.rules.asking import StampAsk
from core.rules.types import (
    DoubleHours,
    Expiry,
    Gift,
    Limit,
    Look,
    Reward,
    Spend,
)
from tests.builders import build_shop, coffee, person
from tests.webhooks.desk import at_desk

OWNER = "owner@aozora.jp"


def address(shop):
    return f"/merchant/cards/{shop.program.id}"


async def program_of(db, shop):
    return await db.read(load_program, shop.merchant.id, shop.program.id)


async def test_home_shows_connections_cards_shops_and_links(db, settings, clock, shop):
    await db.write(follow, shop.merchant.id, person(), "f1", clock.now())
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)

        for text in (
            "@aozora",
            "接続済み",
            "未接続",
            "発行中のカード 1枚",
            "本店",
            "https://line.me/R/ti/p/%40aozora",
            "http://127.0.0.1/till/",
            "http://127.0.0.1/j/aozora/coffee",
        ):
            assert text in desk.page, text
        assert "下書きあり" not in desk.page


async def test_the_form_shows_the_whole_design_and_saves_it_unchanged(
    db, settings, vault, clock
):
    design = coffee(
        rewards=(
            Reward(at=3, name="クッキー", valid="14d"),
            Reward(at=7, name='<b>ケーキ</b> & "茶"'),
            Reward(at=12, name="コーヒー豆", valid="3m"),
        ),
        goal=12,
        bonus=2,
        limit=Limit(kind="hours", n=5),
        expires=Expiry(kind="after_first", months=18),
        remind_days=(30, 7),
        look=Look(background="#123456", foreground="#FEDCBA", icon="paw"),
        guide="一行目\n二行目 </textarea>",
        thanks="ありがとう",
        spend=Spend(per=500, minimum=300),
        double_hours=(
            DoubleHours(days=(5, 6), start=9 * 60, end=24 * 60),
            DoubleHours(days=(0, 1, 2, 3, 4), start=22 * 60, end=90),
        ),
        day_cap=6,
        referral=2,
        birthday=Gift(name="ケーキ", valid="30d"),
    )
    shop = await build_shop(db, vault, clock.now(), design=design)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "save", name="新しい名前")

        assert desk.status == 200
        assert "下書きを保存しました" in desk.page
        program = await program_of(db, shop)
        assert program.design == design
        assert program.draft == replace(design, name="新しい名前")

        # Typed back to what is published: no draft is left.
        await desk.change(address(shop), "save", name=design.name)
        assert (await program_of(db, shop)).draft is None


async def test_a_draft_is_published_after_the_page_said_what_it_does(
    db, settings, clock, shop
):
    for number in range(3):
        cards = await db.write(
            follow, shop.merchant.id, person(number), f"f{number}", clock.now()
        )
        ask = StampAsk(
            merchant_id=shop.merchant.id,
            key=f"k{number}",
            how="till",
            card_id=cards[0],
            stamps=8 if number < 2 else 1,
        )
        await db.write(grant_stamps, ask, clock.now())
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "publish", goal="8", goal_reward_name="豆")

        assert desk.path == f"{address(shop)}/publish"
        assert "カード3枚が新しい内容になります" in desk.page
        assert "2人が特典を得ます" in desk.page
        assert "特典を失う人はいません" in desk.page
        assert "8個目: 豆" in desk.page
        assert (await program_of(db, shop)).version == 1

        await desk.send(f"{address(shop)}/publish", hidden(desk.page))

        assert "公開しました" in desk.page
        program = await program_of(db, shop)
        assert (program.version, program.draft) == (2, None)
        assert program.design.goal == 8
        assert program.design.rewards == (Reward(at=8, name="豆", valid="3m"),)


async def test_the_rarely_used_rules_are_set_and_said_before_publishing(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(
            address(shop),
            "publish",
            spend_kind="amount",
            stamp_per="500",
            minimum="",
            double_row="0",
            double_day="0:sat",
            double_from="09:00",
            double_to="12:00",
            day_cap="5",
            referral="1",
            birthday_name="ケーキ",
            birthday_valid="30",
            birthday_unit="d",
        )

        assert desk.path == f"{address(shop)}/publish"
        for words in (
            "¥500ごとに1個",
            "土 9:00〜12:00",
            "<ins>5個</ins>",
            "<ins>1個</ins>",
            "ケーキ (30日有効)",
        ):
            assert words in desk.page, words
        await desk.send(f"{address(shop)}/publish", hidden(desk.page))

        design = (await program_of(db, shop)).design
        assert design == coffee(
            spend=Spend(per=500),
            double_hours=(DoubleHours(days=(5,), start=540, end=720),),
            day_cap=5,
            referral=1,
            birthday=Gift(name="ケーキ", valid="30d"),
        )


async def test_a_draft_that_changed_since_is_shown_again_first(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "publish", goal="8")
        form = hidden(desk.page)
        await db.write(
            save_draft,
            shop.merchant.id,
            shop.program.id,
            coffee(goal=3, rewards=()),
            None,
            clock.now(),
        )

        await desk.send(f"{address(shop)}/publish", form)

        assert desk.status == 409
        assert "下書きが変わりました" in desk.page
        assert (await program_of(db, shop)).version == 1


async def test_a_draft_can_be_dropped(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "save", goal="8")
        await desk.get("/merchant/")
        assert "下書きあり" in desk.page

        await desk.change(address(shop), "drop")

        assert "下書きを破棄しました" in desk.page
        assert (await program_of(db, shop)).draft is None


@pytest.mark.parametrize("path", ["", "/publish"])
async def test_another_merchant_s_card_is_as_absent_as_none(
    db, settings, vault, clock, shop, path
):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_other")
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        foreign = await desk.get(address(other) + path)
        shown = without_masks(desk.page)
        absent = await desk.get(f"/merchant/cards/01ARZ3NDEKTSV4RRFFQ69G5FAV{path}")

        assert (foreign.status, absent.status) == (404, 404)
        assert shown == without_masks(desk.page)

        await desk.send(address(other) + path, {"csrf": desk.csrf, "do": "save"})
        assert desk.status == 404


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["%00", "..", "a' OR 1=1", "é" * 26])
async def test_an_id_that_is_none_is_not_found(db, settings, clock, shop, name):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.get(f"/merchant/cards/{name}/publish")

        assert desk.status == 404


async def test_a_viewer_may_look_and_not_change(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in("viewer@aozora.jp")
        await desk.get(address(shop))
        assert desk.status == 200
        assert "閲覧のみ" in desk.page
        assert (
            'value="save">下書き保存'
            not in desk.page.split("</header>")[1].split("first-button")[0]
        )

        for path in ("", "/publish", "/preview"):
            await desk.send(address(shop) + path, {"csrf": desk.csrf, "do": "save"})
            assert desk.status == 403
            assert "管理者または店長" in desk.page


async def test_a_clerk_is_told_who_can_open_the_settings(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in("clerk@aozora.jp")

        assert desk.status == 403
        assert "管理者または店長または閲覧" in desk.page
        assert 'href="/till/"' in desk.page


async def test_a_rank_up_card_is_chosen_among_the_merchant_s_own(
    db, settings, clock, shop
):
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "",
            "languages": ["ja"],
        },
        programs=(("gold", coffee(name="ゴールドカード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "save", next_program="gold")

        draft = (await program_of(db, shop)).draft
        assert draft is not None
        assert draft.next_program == "gold"


def hidden(page: str) -> dict[str, str]:
    form = page[page.index('<form class="bar"') :]
    return dict(re.findall(r'name="(csrf|draft)" value="([^"]*)"', form))


def without_masks(page: str) -> str:
    return re.sub(r'name="csrf" value="[^"]*"', "", page)
