"""The rich menu: put up once, kept current, in both languages, and never in the way."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO

import pytest
from PIL import Image

from bot.access import ChannelKey
from bot.limits import BUTTON_LABEL, POSTBACK_DATA, clusters
from bot.menu_picture import HEIGHT, MOST_BYTES, WIDTH, draw_menu
from bot.rich_menu import AREAS, REVISION, RichMenus, menu_body, menu_digest
from core.actions.erase import erase_customer
from core.actions.join import follow, know_person, unfollow
from core.actions.line_setup import keep_webhook_test
from core.actions.menus import channels_behind, menu_state
from core.actions.publish import publish, save_draft
from core.clock import Clock
from core.rules.colours import contrast_ratio
from core.rules.glyphs import GLYPHS
from core.rules.types import Look
from core.store.merchants import put_channel
from core.store.programs import put_state
from core.store.tables import merchant
from jobs.check_channels import check_channels
from jobs.demo.line_menus import menu_for
from jobs.demo.world import demo_world
from jobs.parts import Parts
from jobs.pump import Pump
from jobs.serve import running
from tests.bot.line_house import CHANNEL
from tests.builders import coffee, person


@pytest.fixture
def menus(house, db, vault, clock):
    return RichMenus(db, vault, house.api, clock)


@pytest.fixture
def pump(menus, db, clock):
    return Pump(db, {"menu": menus.deliver}, clock, only="menu")


@pytest.fixture
def channel(house):
    return house.line.world.channel(CHANNEL)


async def put_up(menus, pump):
    await menus.look()
    return await pump.drain()


async def redesign(db, shop, clock, **look):
    design = coffee(look=Look(**look))
    who = (shop.merchant.id, shop.program.id)
    await db.write(save_draft, *who, design, None, clock.now())
    await db.write(publish, *who, None, clock.now())


async def friend(house, db, clock, name, language):
    """A friend of the shop, known to it and to LINE."""
    user_id = house.friend(name, language)
    met = person(name=name)
    told = type(met)(user_id=user_id, name=name, language=language)
    where = house.shop.merchant.id
    await db.write(follow, where, told, f"f{user_id}", clock.now())
    return user_id


def calls(house, since=0):
    return [f"{call.method} {call.path}" for call in house.line.world.calls[since:]]


def shown(channel, user_id):
    menu = menu_for(channel, user_id)
    return menu.body["chatBarText"] if menu else None


# --- what it is -------------------------------------------------------------------


@pytest.mark.parametrize("icon", [*GLYPHS, "picture:" + "0" * 64])
def test_the_picture_is_what_line_takes(icon):
    content = draw_menu(Look(icon=icon))
    picture = Image.open(BytesIO(content))
    assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
    assert len(content) <= MOST_BYTES
    assert content == draw_menu(Look(icon=icon))


@pytest.mark.parametrize(
    ("background", "foreground"),
    [("#5A3A22", "#FFFFFF"), ("#F7E9D0", "#F0E0C0"), ("#808080", "#7F7F7F")],
)
def test_the_signs_stand_out_whatever_the_colours(background, foreground):
    content = draw_menu(Look(background=background, foreground=foreground))
    picture = Image.open(BytesIO(content)).convert("RGB")
    common = [colour for _, colour in sorted(picture.getcolors(1000), reverse=True)]
    paper = tuple(bytes.fromhex(background[1:]))
    assert paper in common[:3]
    tile, sign = ("#" + bytes(c).hex() for c in common[:3] if c != paper)
    assert contrast_ratio(tile, sign) >= 3


def test_each_look_has_its_own_picture():
    looks = [Look(), Look(icon="coffee"), Look(background="#0B5D49")]
    looks.append(Look(foreground="#FFE28A"))
    assert len({draw_menu(look) for look in looks}) == 4


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_menu_keeps_within_lines_limits(language):
    body = menu_body(language, "0" * 12)
    assert len(body["name"]) <= 300
    assert 1 <= len(clusters(body["chatBarText"])) <= 14
    areas = [area["bounds"] for area in body["areas"]]
    assert [a["x"] for a in areas] == [0, 625, 1250, 1875]
    assert {(a["y"], a["width"], a["height"]) for a in areas} == {(0, 625, HEIGHT)}
    for area in body["areas"]:
        action = area["action"]
        assert len(clusters(action["label"])) <= BUTTON_LABEL / 2
        assert len(action["data"]) <= POSTBACK_DATA


def test_languages_and_pictures_change_the_digest():
    found = {
        menu_digest(b"a", ("ja", "en")),
        menu_digest(b"b", ("ja", "en")),
        menu_digest(b"a", ("ja",)),
        menu_digest(b"a", ("en", "ja")),
    }
    assert len(found) == 4


# --- putting it up ----------------------------------------------------------------


async def test_a_connected_channel_gets_its_menus_once(
    house, menus, pump, channel, db, shop
):
    assert await put_up(menus, pump) == 1
    names = [menu.body["chatBarText"] for menu in channel.menus.values()]
    assert names == ["メニュー", "Menu"]
    assert all(m.picture_type == "image/png" for m in channel.menus.values())
    user_id = house.friend()
    assert shown(channel, user_id) == "メニュー"
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "up"
    assert await db.read(channels_behind, REVISION) == []

    before = len(house.line.world.calls)
    assert await put_up(menus, pump) == 0
    assert calls(house, before) == []


async def test_every_area_is_answered(house, menus, pump, channel):
    await put_up(menus, pump)
    house.run()
    user_id = house.friend()
    for area in menu_for(channel, user_id).body["areas"]:
        action = area["action"]
        chat = len(house.line.world.chat(CHANNEL, user_id))
        await house.line.postback(
            CHANNEL, user_id, action["data"], display_text=action["displayText"]
        )
        assert await house.line.wait_for_reply(CHANNEL, user_id, after=chat)
    await house.settled()
    assert await house.notes() == ["replied"] * len(AREAS)


async def test_a_new_look_replaces_the_menu_and_leaves_none_behind(
    house, menus, pump, channel, db, shop, clock
):
    await put_up(menus, pump)
    old = dict(channel.menus)
    await redesign(db, shop, clock, background="#0B5D49", icon="leaf")
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "coming"
    assert await put_up(menus, pump) == 1
    assert len(channel.menus) == 2
    assert not old.keys() & channel.menus.keys()
    assert channel.default_menu in channel.menus


async def test_a_new_version_that_looks_the_same_calls_nobody(
    house, menus, pump, db, shop, clock
):
    await put_up(menus, pump)
    who = (shop.merchant.id, shop.program.id)
    await db.write(save_draft, *who, coffee(name="あたらしい名前"), None, clock.now())
    await db.write(publish, *who, None, clock.now())
    before = len(house.line.world.calls)
    assert await put_up(menus, pump) == 1
    assert calls(house, before) == []


async def test_menus_that_are_not_ours_stay(house, menus, pump, channel):
    body = menu_body("ja", "x") | {"name": "春のキャンペーン"}
    key = ChannelKey(CHANNEL, house.shop.channel_secret)
    answer = await house.api.ask(key, "POST", "/v2/bot/richmenu", body=body)
    await put_up(menus, pump)
    assert answer.data["richMenuId"] in channel.menus
    assert len(channel.menus) == 3


async def test_a_shop_without_an_open_card_has_no_menu_yet(
    house, menus, pump, channel, db, shop
):
    await db.write(put_state, shop.merchant.id, shop.program.id, "archived")
    assert await put_up(menus, pump) == 0
    assert channel.menus == {}
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "none"


async def test_one_language_needs_one_menu(house, menus, pump, channel, db, shop):
    only = merchant.update().values(languages=["en"])
    await db.write(lambda tx: tx.execute(only) and None)
    await put_up(menus, pump)
    assert [m.body["chatBarText"] for m in channel.menus.values()] == ["Menu"]


# --- each in their language -------------------------------------------------------


async def test_friends_see_the_menu_in_their_language(
    house, menus, pump, channel, db, clock
):
    early = await friend(house, db, clock, "Emma", "en")
    japanese = await friend(house, db, clock, "花子", "ja")
    await put_up(menus, pump)
    late = await friend(house, db, clock, "Liam", "en")
    assert await pump.drain() == 1
    later = await friend(house, db, clock, "美香", "ja")
    assert await pump.drain() == 0
    assert [shown(channel, u) for u in (early, late)] == ["Menu", "Menu"]
    assert [shown(channel, u) for u in (japanese, later)] == ["メニュー", "メニュー"]


async def test_a_new_look_reaches_friends_of_the_other_language(
    house, menus, pump, channel, db, shop, clock
):
    emma = await friend(house, db, clock, "Emma", "en")
    gone = await friend(house, db, clock, "Noah", "en")
    clock.move(minutes=1)
    await db.write(unfollow, shop.merchant.id, gone, clock.now())
    await put_up(menus, pump)
    await redesign(db, shop, clock, background="#0B5D49")
    await put_up(menus, pump)
    assert shown(channel, emma) == "Menu"
    assert channel.menu_of_person == {emma: channel.menu_of_person[emma]}


async def test_many_friends_are_linked_in_bulk(
    house, menus, pump, channel, db, clock, monkeypatch
):
    monkeypatch.setattr("bot.rich_menu._MANY", 2)
    for number in range(5):
        await friend(house, db, clock, f"Emma {number}", "en")
    await put_up(menus, pump)
    assert calls(house).count("POST /v2/bot/richmenu/bulk/link") == 3
    assert len(channel.menu_of_person) == 5


async def test_who_was_erased_meanwhile_is_not_linked(
    house, menus, pump, channel, db, shop, clock
):
    await put_up(menus, pump)
    user_id = await friend(house, db, clock, "Emma", "en")
    known = await db.read(know_person, shop.merchant.id, user_id)
    await db.write(
        erase_customer,
        merchant_id=shop.merchant.id,
        customer_id=known.id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    assert await pump.drain() == 1
    assert channel.menu_of_person == {}


# --- what goes wrong --------------------------------------------------------------

# List, two menus with their pictures, everybody's, and the friends' of the other one.
CALLS = 7


@pytest.mark.parametrize("number", range(1, CALLS + 1))
@pytest.mark.parametrize("how", ["fail_next", "accept_then_500", "cut_next"])
async def test_whichever_call_fails_the_next_try_ends_with_the_same_two_menus(
    house, menus, pump, channel, db, shop, clock, monkeypatch, number, how
):
    emma = await friend(house, db, clock, "Emma", "en")
    ask, asked = house.api.ask, []

    async def break_one(*given, **more):
        asked.append(given)
        if len(asked) == number:
            # A GET whose connection is cut is sent once more by the client itself.
            times = 2 if how == "cut_next" else 1
            getattr(house.line, how)("/v2/bot/", times=times)
        return await ask(*given, **more)

    monkeypatch.setattr(house.api, "ask", break_one)
    await put_up(menus, pump)
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "failed"
    for _ in range(3):
        clock.move(minutes=1)
        await pump.drain()
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "up"
    assert len(channel.menus) == 2
    assert all(menu.picture for menu in channel.menus.values())
    assert shown(channel, emma) == "Menu"
    assert shown(channel, "U" + "9" * 32) == "メニュー"


async def test_a_menu_of_a_channel_whose_secret_is_lost_waits(
    house, menus, pump, db, shop, clock
):
    def lose(tx):
        values = {"channel_id": CHANNEL, "sealed_secret": "v1.lost"}
        put_channel(tx, shop.merchant.id, "line", values, clock.now())

    await db.write(lose)
    await put_up(menus, pump)
    assert await db.read(menu_state, shop.merchant.id, REVISION) == "failed"
    assert calls(house) == []


async def test_a_broken_menu_does_not_keep_anybody_from_an_answer(house, menus, pump):
    house.line.fail_next("/v2/bot/richmenu", 500, times=99)
    await put_up(menus, pump)
    house.run()
    assert await house.ask(house.friend(), "カード")


async def test_a_friend_of_a_menu_that_was_just_replaced_is_left_to_the_new_one(
    house, menus, pump, channel, db, clock
):
    await put_up(menus, pump)
    await friend(house, db, clock, "Emma", "en")
    channel.menus.clear()
    assert await pump.drain() == 1
    assert await pump.drain() == 0


async def test_a_redesign_is_noticed_by_itself(
    house, menus, pump, channel, db, shop, clock, monkeypatch
):
    monkeypatch.setattr("bot.rich_menu.LOOK_EVERY", 0.05)
    running = asyncio.create_task(menus.run())
    async with asyncio.timeout(20):
        with db.watch({"outbox"}) as watch:
            while not await pump.drain():
                await watch.wait(0.2)
    menus.stop()
    await running
    assert channel.default_menu in channel.menus


def test_the_bodies_are_plain_json():
    for language in ("ja", "en"):
        assert json.loads(json.dumps(menu_body(language, "x")))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_running_service_puts_the_menu_up_by_itself(tmp_path, settings):
    clock = Clock()
    async with (
        demo_world(tmp_path / "world", 8080, clock) as world,
        running(world.settings, clock=clock, port=0),
    ):
        channel = world.line.world.channel(CHANNEL)
        shown = await world.line.world.bell.until(lambda: channel.default_menu, 30)
        assert channel.menus[shown].picture


@pytest.mark.parametrize("reason", ["OK", "REQUEST_TIMEOUT"])
async def test_the_check_tells_of_a_webhook_that_failed(
    db, settings, vault, shop, clock, reason
):
    where = shop.merchant.id
    await db.write(keep_webhook_test, where, reason, 0, clock.now())
    parts = Parts(settings=settings, db=db, vault=vault)
    (found,) = await check_channels(parts, clock.now())
    is_good = reason == "OK"
    assert found.state == ("green" if is_good else "yellow")
    assert (reason in found.text) == (not is_good)
