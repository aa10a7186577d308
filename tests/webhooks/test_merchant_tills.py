"""The settings page of tills and staff: links and PINs, each shown once or never."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.merchants import load_merchant
from core.actions.shops import list_shops
from core.store.tables import staff
from core.vault import hash_token
from tests.builders import PASSWORD, build_shop
from tests.webhooks.devices import PINS, give_pins, open_house

PAGE = "/merchant/tills"


@pytest.fixture
async def house(db, settings, clock, shop, vault):
    await give_pins(db, vault, shop.merchant.id)
    async with open_house(db, settings, clock) as found:
        yield found


@pytest.fixture
async def owner(house):
    found = await (await house.browser()).settings()
    await found.tills()
    return found


@pytest.fixture
async def manager(house):
    found = await (await house.browser()).settings("manager")
    await found.tills()
    return found


@pytest.fixture
async def person(house):
    """The path of somebody's buttons."""

    async def find(role):
        return f"{PAGE}/staff/{await house.staff_id(role)}"

    return find


async def row(house, name):
    return next(s for s in await house.rows(staff) if s.name == name)


# --- devices ------------------------------------------------------------------------


async def test_a_link_is_shown_once_and_only_its_hash_is_kept(house, owner, shop):
    link = await owner.add_device("カウンター", shop.shop.id)
    token = link.rsplit("/", 1)[1]
    assert "「カウンター」にする端末で" in owner.page
    assert "11/24 15:00まで" in owner.page
    assert "<svg" in owner.page
    [device] = await house.devices()
    assert device.link_hash == hash_token(token)
    assert token not in str(await house.rows(staff)) + str(await house.acts())

    await owner.tills()
    assert token not in owner.page
    assert "リンクを開くのを待っています" in owner.page
    await owner.get(f"{PAGE}/devices")
    assert owner.path == PAGE


async def test_a_device_is_listed_with_its_shop_and_when_it_was_seen(
    house, owner, shop, clock
):
    await house.device(shop.shop.id)
    clock.move(minutes=61)
    await owner.tills()
    for words in ("カウンター", "本店", "設定 2026/11/23", "最終利用 11/23 15:00"):
        assert words in owner.page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "入力してください"),
        ("あ" * 41, "40"),
        ("カウンター", "同じ名前の端末があります"),
    ],
)
async def test_a_device_needs_a_name_of_its_own(house, owner, shop, name, words):
    await owner.add_device("カウンター", shop.shop.id)
    await owner.post(f"{PAGE}/devices", {"name": name, "shop": shop.shop.id})
    assert owner.status == 422
    assert words in owner.page
    assert len(await house.devices()) == 1


async def test_a_device_stands_in_a_shop_of_its_own_merchant(
    house, owner, db, vault, clock
):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_umi")
    for shop_id in (other.shop.id, "", "'"):
        await owner.post(f"{PAGE}/devices", {"name": "入口", "shop": shop_id})
        assert owner.status == 422
        assert "店舗を選んでください" in owner.page
    assert not await house.devices()
    assert await db.read(list_shops, other.merchant.id)


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_only_owners_and_managers_come_here(house, role, shop):
    browser = await house.browser()
    form = {"email": f"{role}@aozora.jp", "password": PASSWORD}
    await browser.post("/merchant/signin", form)
    await browser.get(PAGE)
    assert browser.status == 403
    for path in ("devices", "staff", "phone"):
        await browser.post(f"{PAGE}/{path}", {"do": "on", "shop": shop.shop.id})
        assert browser.status == 403


# --- PINs ---------------------------------------------------------------------------


async def test_a_clerk_needs_a_name_and_a_pin_only(house, owner, shop, vault):
    form = {"name": "佐藤", "pin": "３８６４", "do": "add"}
    await owner.post(f"{PAGE}/staff", form)
    assert "スタッフを追加しました" in owner.page
    added = await row(house, "佐藤")
    assert (added.email, added.role) == (None, "clerk")
    assert added.pin_mac == vault.pin_mac(shop.merchant.id, "3864")

    tablet = await house.device(shop.shop.id)
    await tablet.pin("3864")
    assert "担当: 佐藤さん" in tablet.page


async def test_a_pin_that_we_make_is_shown_once_and_works(house, owner, shop):
    await owner.post(f"{PAGE}/staff", {"name": "佐藤", "do": "make"})
    assert "佐藤さんのPIN" in owner.page
    pin = re.search(r"pin-shown\">(\d{4})<", owner.page)[1]
    assert owner.answer.headers.get("Content-Encoding") is None
    tablet = await house.device(shop.shop.id)
    await tablet.pin(pin)
    assert "担当: 佐藤さん" in tablet.page
    await owner.tills()
    assert "pin-shown" not in owner.page


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        ("", "4〜6桁の数字"),
        ("123", "4〜6桁の数字"),
        ("1234567", "4〜6桁の数字"),
        ("abcd", "4〜6桁の数字"),
        ("0000", "同じ数字だけ"),
        ("111111", "同じ数字だけ"),
        ("1234", "並んだ数字"),
        ("9876", "並んだ数字"),
        ("4545", "くり返し"),
        (PINS["owner"], "ほかのスタッフのPINです"),
    ],
)
async def test_a_pin_that_is_no_good_is_refused_with_the_reason(
    house, owner, person, pin, words
):
    before = await house.rows(staff)
    await owner.post(await person("clerk"), {"do": "pin", "pin": pin})
    assert owner.status == 422
    assert words in owner.page
    await owner.post(f"{PAGE}/staff", {"do": "add", "name": "佐藤", "pin": pin})
    assert owner.status == 422
    assert words in owner.page
    assert 'value="佐藤"' in owner.page
    assert not pin or f'value="{pin}"' not in owner.page
    assert await house.rows(staff) == before


async def test_a_pin_is_replaced_and_removed(house, owner, person, shop):
    tablet = await house.device(shop.shop.id)
    await owner.post(await person("clerk"), {"do": "pin", "pin": "3864"})
    assert "PINを保存しました" in owner.page
    await tablet.pin(PINS["clerk"])
    assert tablet.status == 401
    await tablet.pin("3864")
    assert tablet.path == "/till/"
    # The same again is no other's.
    await owner.post(await person("clerk"), {"do": "pin", "pin": "3864"})
    assert "PINを保存しました" in owner.page

    await owner.post(await person("clerk"), {"do": "unpin"})
    assert "PINを消しました" in owner.page
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"


async def test_who_only_looks_gets_no_pin(owner, person):
    await owner.post(await person("viewer"), {"do": "make"})
    assert owner.status == 422
    assert "レジの担当になれません" in owner.page


async def test_two_who_choose_one_pin_at_once_do_not_share_it(
    house, owner, manager, person
):
    form = {"do": "pin", "pin": "3864"}
    await asyncio.gather(
        owner.post(await person("owner"), form),
        manager.post(await person("manager"), form),
    )
    assert sorted((owner.status, manager.status)) == [200, 422]
    macs = [s.pin_mac for s in await house.rows(staff) if s.pin_mac]
    assert len(macs) == len(set(macs)) == 3


async def test_nobody_finds_out_the_others_pins_by_asking(manager, person, clock):
    form = {"do": "pin", "pin": PINS["owner"]}
    for _ in range(6):
        await manager.post(await person("clerk"), form)
        assert "ほかのスタッフのPINです" in manager.page
    await manager.post(await person("clerk"), {"do": "pin", "pin": "3864"})
    assert manager.status == 422
    assert "あと5秒お待ちください" in manager.page
    await manager.post(await person("clerk"), {"do": "make"})
    assert "clerkさんのPIN" in manager.page
    clock.move(seconds=5)
    await manager.post(await person("clerk"), {"do": "pin", "pin": "3864"})
    assert "PINを保存しました" in manager.page


# --- letting somebody go ------------------------------------------------------------


async def test_who_leaves_is_signed_out_everywhere_and_comes_in_no_more(
    house, owner, person, shop
):
    gone = await (await house.browser()).settings("manager")
    tablet = await house.device(shop.shop.id)
    await tablet.pin(PINS["manager"])
    await owner.tills()
    for _ in range(2):
        await owner.post(await person("manager"), {"do": "leave"})
        assert "退職にしました" in owner.page
    assert "退職した人 (1人)" in owner.page

    await gone.get("/merchant/")
    assert gone.path == "/merchant/signin"
    await gone.post(
        "/merchant/signin", {"email": "manager@aozora.jp", "password": PASSWORD}
    )
    assert gone.status == 401
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"
    # The PIN is free for somebody else, the name stays with what was done.
    await owner.post(await person("clerk"), {"do": "pin", "pin": PINS["manager"]})
    assert "PINを保存しました" in owner.page
    left = await row(house, "manager")
    assert (left.email, left.pin_mac) == ("manager@aozora.jp", None)
    await owner.post(await person("manager"), {"do": "pin", "pin": "3864"})
    assert owner.status == 404


async def test_who_left_can_come_back_and_needs_a_new_pin(house, owner, person):
    await owner.post(await person("manager"), {"do": "leave"})
    await owner.post(await person("manager"), {"do": "back"})
    assert "復帰しました" in owner.page
    await (await house.browser()).settings("manager")
    assert (await row(house, "manager")).pin_mac is None


async def test_nobody_lets_themselves_go(house, owner, manager, person):
    for browser, role in ((owner, "owner"), (manager, "manager")):
        await browser.post(await person(role), {"do": "leave"})
        assert browser.status == 422
        assert "自分を退職にはできません" in browser.page
    assert not [s for s in await house.rows(staff) if s.left_at]


async def test_two_owners_who_let_each_other_go_leave_one(
    house, owner, person, db, clock
):
    manager_id = await house.staff_id("manager")

    def promote(tx):
        mine = staff.c.id == manager_id
        tx.execute(staff.update().where(mine).values(role="owner"))

    second = await person("manager")
    await db.write(promote)
    other = await (await house.browser()).settings("manager")
    await other.tills()
    await asyncio.gather(
        owner.post(second, {"do": "leave"}),
        other.post(f"{PAGE}/staff/{await house.staff_id('owner')}", {"do": "leave"}),
    )
    left = [s for s in await house.rows(staff) if s.left_at]
    assert len(left) == 1


@pytest.mark.parametrize("do", ["pin", "make", "unpin", "leave"])
async def test_a_manager_does_not_touch_an_owner(house, manager, person, do):
    before = await house.rows(staff)
    assert await person("owner") not in manager.page
    await manager.post(await person("owner"), {"do": do, "pin": "3864"})
    assert manager.status == 422
    assert "管理者だけが変えられます" in manager.page
    assert await house.rows(staff) == before


async def test_staff_of_another_merchant_are_not_there(house, owner, db, vault, clock):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_umi")
    for do in ("make", "unpin", "leave", "back"):
        await owner.post(f"{PAGE}/staff/{other.owner.id}", {"do": do})
        assert owner.status == 404
    await owner.post(f"{PAGE}/staff/{other.owner.id}", {"do": "dance"})
    assert owner.status == 400


# --- the rest -----------------------------------------------------------------------


async def test_pins_on_customers_phones_are_a_switch(owner, db, shop):
    assert "今は使っていません" in owner.page
    for do, is_on in (("on", True), ("on", True), ("off", False)):
        await owner.post(f"{PAGE}/phone", {"do": do})
        merchant = await db.read(load_merchant, shop.merchant.id)
        assert merchant.phone_pin is is_on
    await owner.post(f"{PAGE}/phone", {"do": "maybe"})
    assert owner.status == 400


async def test_everything_is_in_the_log_with_who_did_it_and_without_secrets(
    house, owner, person, shop, capfd
):
    link = await owner.add_device("カウンター", shop.shop.id)
    [device] = await house.devices()
    await owner.post(f"{PAGE}/devices/{device.id}/link", {})
    await owner.post(f"{PAGE}/devices/{device.id}/revoke", {})
    await owner.post(f"{PAGE}/staff", {"do": "add", "name": "佐藤", "pin": "3864"})
    await owner.post(await person("manager"), {"do": "pin", "pin": "386495"})
    await owner.post(await person("manager"), {"do": "unpin"})
    await owner.post(await person("manager"), {"do": "leave"})
    await owner.post(await person("manager"), {"do": "back"})
    await owner.post(f"{PAGE}/phone", {"do": "on"})

    by = f"staff:{await house.staff_id('owner')}"
    acts = [act for act, actor in await house.acts() if actor == by]
    assert acts[1:] == [
        "device.added",
        "device.link_renewed",
        "device.revoked",
        "staff.added",
        "staff.pin_set",
        "staff.pin_removed",
        "staff.let_go",
        "staff.brought_back",
        "merchant.phone_pin_on",
    ]
    said = "".join(capfd.readouterr()) + str(await house.acts())
    assert "386495" not in said
    assert link.rsplit("/", 1)[1] not in said


async def test_the_page_speaks_english(owner):
    await owner.post("/merchant/language", {"language": "en", "next": PAGE})
    assert owner.path == PAGE
    for words in ("Tills and staff", "Add a device", "Let go"):
        assert words in owner.page
