"""The preview shows what the bot and the wallets are given, as it is typed."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree as ET

import pytest

from core.actions.pictures import load_picture
from core.rules.types import Look, Reward
from passes.art import Art
from passes.artwork import Artwork
from tests.builders import build_shop, coffee
from tests.webhooks.desk import at_desk, form_fields

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

OWNER = "owner@aozora.jp"
SVG = re.compile(r'<svg class="drawing".*?</svg>\s*</div>', re.DOTALL)


async def preview(desk, shop, **typed):
    """The fragment for the form with some fields typed over."""
    path = f"/merchant/cards/{shop.program.id}"
    await desk.get(path)
    fields = [(n, v) for n, v in form_fields(desk.page) if n not in typed]
    answer = await desk.client.post(f"{path}/preview", data=[*fields, *typed.items()])
    assert answer.status == 200
    return await answer.text()


async def test_all_three_faces_say_what_is_typed(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        html = await preview(
            desk, shop, name="抹茶カード", goal="8", thanks="またどうぞ", balance="5"
        )

        chat, apple, google = SVG.findall(html)
        assert "抹茶カード" in chat
        assert "またどうぞ" in chat
        assert "8個中5個 あと3個" in chat
        assert ">5/8<" in apple
        assert "抹茶カード" in google
        assert ">5/8<" in google
        assert "あと3個で「コーヒー1杯」" in google


async def test_the_pictures_are_those_of_the_wallets(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        html = await preview(
            desk, shop, background="#204060", foreground="#FFEEDD", balance="4"
        )

    art = Art.of_design(
        shop.merchant.id,
        coffee(look=Look(background="#204060", foreground="#FFEEDD")),
    )
    artwork = Artwork(lambda m, d: db.read(load_picture, m, d))
    strip = await artwork.draw(art, "strip", 4, 2)
    hero = await artwork.draw(art, "hero", 4)
    assert base64.b64encode(strip).decode() in html
    assert base64.b64encode(hero).decode() in html


async def test_half_typed_fields_leave_the_rest_of_the_preview_alone(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        html = await preview(desk, shop, goal="", background="#33", thanks="またね")

        assert "またね" in html
        assert "10個中" in html
        assert "#5A3A22" in html


async def test_what_is_typed_cannot_become_markup(db, settings, clock, shop):
    evil = '"><script>alert(1)</script>&'
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        html = await preview(desk, shop, name=evil, thanks=evil)

        assert "<script" not in html
        assert "&lt;script&gt;" in html


@pytest.mark.parametrize("goal", [1, 2, 11, 25, 50])
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_every_goal_can_be_drawn_within_the_page_s_weight(
    db, settings, vault, clock, goal, language
):
    design = coffee(
        name="とても長い名前のスタンプカード" * 2,
        goal=goal,
        rewards=(Reward(at=goal, name="ごほうび" * 10),),
    )
    shop = await build_shop(db, vault, clock.now(), design=design)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER, lang=language)
        weight = 0
        desk.client.session._auto_decompress = False
        for path in (f"/merchant/cards/{shop.program.id}", "/static/app.css"):
            answer = await desk.client.get(path)
            assert answer.headers["Content-Encoding"] in {"gzip", "deflate"}
            weight += len(await answer.read())
        desk.client.session._auto_decompress = True
        assert weight < 55_000

        for drawing in SVG.findall(await preview(desk, shop, balance=str(goal))):
            ET.fromstring(drawing.removesuffix("</div>"))


@pytest.mark.parametrize("balance", ["", "999999", "-3", "x", "9" * 5000])
async def test_any_number_of_stamps_is_made_to_fit(db, settings, clock, shop, balance):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        html = await preview(desk, shop, balance=balance)

        assert "10個" in html


async def test_a_text_too_pale_to_read_is_pointed_out(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        pale = await preview(desk, shop, background="#777777", foreground="#888888")
        clear = await preview(desk, shop, background="#111111", foreground="#EEEEEE")

        assert "読みやすい色に自動で調整" in pale
        assert "読みやすい色に自動で調整" not in clear
