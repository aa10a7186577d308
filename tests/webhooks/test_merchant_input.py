"""What is typed and uploaded at the settings page, also where it cannot be kept."""

from __future__ import annotations

import re
from io import BytesIO

import aiohttp
import pytest
from PIL import Image

from core.actions.publish import load_program
from core.rules.spending import double_hours_text
from tests.builders import build_shop
from tests.webhooks.desk import at_desk, form_fields
from webhooks.merchant.double_rows import DAYS

OWNER = "owner@aozora.jp"


def address(shop):
    return f"/merchant/cards/{shop.program.id}"


async def program_of(db, shop):
    return await db.read(load_program, shop.merchant.id, shop.program.id)


WRONG = [
    ({"name": ""}, "入力してください"),
    ({"name": "あ" * 41}, "40文字以内"),
    ({"goal": "51"}, "1〜50の数"),
    ({"goal": "たくさん"}, "1〜50の数"),
    ({"bonus": "10"}, "0〜9の数"),
    ({"limit_kind": "hours", "limit_hours": "99"}, "取得制限は"),
    ({"limit_kind": "per_day", "limit_times": "x"}, "取得制限は"),
    ({"expires_kind": "after_last", "expires_months": "61"}, "有効期限は"),
    ({"expires_kind": "on", "expires_on": ""}, "有効期限は"),
    ({"remind_days": "2"}, "お知らせは"),
    ({"remind_days": "9" * 5000}, "お知らせは"),
    ({"background": "red"}, "色は"),
    ({"icon": "../../x"}, "アイコンを選び直して"),
    ({"thanks": "あ" * 61}, "60文字以内"),
    ({"guide": "a\x00b"}, "使えない文字"),
    ({"goal_reward_valid": "0"}, "有効期間は"),
    ({"goal_reward_unit": "y"}, "有効期間は"),
    ({"next_program": "nobody"}, "ランクアップカードを選び直して"),
    ({"reward_at": "11", "reward_name": "x"}, "1〜10の数"),
    ({"reward_at": "10", "reward_name": "x"}, "10個目の特典が2つ"),
    ({"reward_at": "5", "reward_name": ""}, "入力してください"),
    ({"spend_kind": "amount", "stamp_per": "0"}, "1〜1000000の数"),
    ({"day_cap": "100"}, "0〜99の数"),
    ({"referral": "11"}, "0〜10の数"),
    ({"birthday_valid": "30"}, "入力してください"),
    (
        {"double_row": "0", "double_from": "14:00", "double_to": "17:00"},
        "曜日を1つ以上",
    ),
]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("typed", "said"), WRONG)
async def test_wrong_input_is_kept_and_said_beside_its_field(
    db, settings, clock, shop, typed, said
):
    typed = {**typed}
    if "reward_at" in typed:
        typed |= {"reward_valid": "", "reward_unit": "m"}
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "save", **{"thanks": "またどうぞ", **typed})

        assert desk.status == 422
        problems = re.findall(r'<p class="problem"[^>]*>([^<]*)</p>', desk.page)
        assert any(said in problem for problem in problems), problems
        assert "まだ保存されていません" in desk.page
        for name in ("name", "goal", "thanks", "reward_at", "reward_name"):
            if name in typed:
                assert desk.value(name) == typed[name]
        if "thanks" not in typed:
            assert desk.value("thanks") == "またどうぞ"
        assert (await program_of(db, shop)).draft is None


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_rows_palettes_and_the_preview_work_without_a_script(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "add", name="途中の名前")
        assert desk.page.count('name="reward_at"') == 2  # the new one and the template
        assert desk.value("name") == "途中の名前"

        row = {"reward_at": "5", "reward_name": "焼き菓子"}
        await desk.press(address(shop), "palette:2", **row)
        assert desk.value("background") == "#1f3a5f"
        assert desk.value("reward_name") == "焼き菓子"

        await desk.press(address(shop), "preview", goal="7")
        assert "途中の名前" in desk.page
        assert "7個中" in desk.page

        await desk.press(address(shop), "remove:0")
        assert "焼き菓子" not in desk.page
        assert (await program_of(db, shop)).draft is None


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_double_hours_are_added_and_removed_without_a_script(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        await desk.change(address(shop), "add_double", name="途中の名前")
        # All days are ticked at first, and the part that was closed stays open.
        assert '<details class="panel more" open>' in desk.page
        days = [v for n, v in form_fields(desk.page) if n == "double_day"]
        assert days == [f"0:{day}" for day in DAYS]

        await desk.press(
            address(shop), "add_double", double_from="14:00", double_to="17:00"
        )
        await desk.press(address(shop), "remove_double:1")
        assert desk.value("double_from") == "14:00"
        await desk.press(address(shop), "save")

        draft = (await program_of(db, shop)).draft
        assert draft is not None
        assert [double_hours_text(span) for span in draft.double_hours] == [
            "14:00-17:00"
        ]
        await desk.change(address(shop), "remove_double:0")
        await desk.press(address(shop), "save")
        draft = (await program_of(db, shop)).draft
        assert draft is not None
        assert draft.double_hours == ()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
class TestIcons:
    """A merchant's own picture."""

    async def upload(self, desk, shop, content, **typed):
        await desk.get(address(shop))
        form = aiohttp.FormData()
        form.add_field("csrf", desk.csrf)
        for name, value in {**dict(fields(desk)), **typed, "do": "save"}.items():
            form.add_field(name, value)
        form.add_field("icon_file", BytesIO(content), filename="x.png")
        await desk.send(address(shop), form)

    async def test_it_becomes_the_icon_and_is_shown(self, db, settings, clock, shop):
        stream = BytesIO()
        Image.new("RGB", (90, 40), "#AA3300").save(stream, "PNG")
        async with at_desk(db, settings, clock) as desk:
            await desk.sign_in(OWNER)
            await self.upload(desk, shop, stream.getvalue())

            draft = (await program_of(db, shop)).draft
            assert draft is not None
            digest = draft.look.icon.removeprefix("picture:")
            answer = await desk.get(f"/merchant/pictures/{digest}.png")
            assert answer.content_type == "image/png"
            image = Image.open(BytesIO(await answer.read()))
            assert image.size == (660, 660)

    async def test_what_is_no_picture_is_refused_in_words(
        self, db, settings, clock, shop
    ):
        async with at_desk(db, settings, clock) as desk:
            await desk.sign_in(OWNER)
            await self.upload(desk, shop, b"<svg onload=alert(1)>", name="残る名前")

            assert desk.status == 422
            assert "PNGまたはJPEGの画像を選んでください" in desk.page
            assert desk.value("name") == "残る名前"

    async def test_another_merchant_does_not_see_it(
        self, db, settings, vault, clock, shop
    ):
        await build_shop(db, vault, clock.now(), key="umi", api_key="sk_other")
        stream = BytesIO()
        Image.new("RGB", (90, 40), "#AA3300").save(stream, "PNG")
        async with at_desk(db, settings, clock) as desk:
            await desk.sign_in(OWNER)
            await self.upload(desk, shop, stream.getvalue())
            draft = (await program_of(db, shop)).draft
            assert draft is not None
            digest = draft.look.icon.removeprefix("picture:")
        async with at_desk(db, settings, clock) as other:
            await other.sign_in("owner@umi.jp")
            await other.get(f"/merchant/pictures/{digest}.png")

            assert other.status == 404


def fields(desk):
    return [(name, value) for name, value in form_fields(desk.page) if name != "csrf"]
