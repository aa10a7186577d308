"""A shop's device: set up once by a link, signed in for good, ended at once."""

from __future__ import annotations

import asyncio

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.shops import list_shops
from core.actions.tills import is_till_open
from core.store.staff import update_staff
from tests.builders import build_shop
from tests.webhooks.devices import PINS, give_pins, open_house
from webhooks.sessions import device_cookie


@pytest.fixture
async def house(db, settings, clock, shop, vault):
    await give_pins(db, vault, shop.merchant.id)
    async with open_house(db, settings, clock) as found:
        yield found


@pytest.fixture
async def owner(house):
    return await (await house.browser()).settings()


@pytest.fixture
async def link(owner, shop):
    return await owner.add_device("カウンター", shop.shop.id)


@pytest.fixture
async def tablet(house, link):
    return await (await house.browser()).open_link(link)


# --- the link ---------------------------------------------------------------------


async def test_a_link_asks_first_and_looking_uses_nothing_up(house, link):
    for _ in range(2):
        preview = await house.browser()
        page = await preview.get(link)
        assert "「本店」のレジ「カウンター」として使いますか" in page
        assert not preview.cookies()

    tablet = await (await house.browser()).open_link(link)
    assert tablet.path == "/till/shift"
    assert "PINを入力してください" in tablet.page


async def test_a_link_is_good_once(house, link, tablet):
    late = await house.browser()
    await late.get(link)
    assert late.status == 410
    assert "このリンクは使えません" in late.page
    await late.post(link, {})
    assert late.status == 410
    assert "till_device" not in late.cookies()


async def test_a_link_opened_in_two_places_at_once_makes_one_device(house, link):
    browsers = [await house.browser() for _ in range(4)]
    for each in browsers:
        await each.get(link)
    await asyncio.gather(*(each.post(link, {}) for each in browsers))
    assert sorted(each.status for each in browsers) == [200, 410, 410, 410]
    [device] = await house.devices()
    assert device.link_hash is None


async def test_a_button_pressed_twice_is_pressed_once(house, link):
    tablet = await house.browser()
    await tablet.get(link)
    page = tablet.page
    await asyncio.gather(tablet.post(link, {}), tablet.post(link, {}))
    # Whichever answer came last: the browser is the device.
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"

    other = await house.browser()
    other.page = page
    await other.post(link, {"key": "another"})
    assert other.status == 410


@pytest.mark.parametrize(("hours", "status"), [(23.9, 200), (24, 410)])
async def test_a_link_lives_for_a_day(house, link, clock, hours, status):
    clock.move(hours=hours)
    tablet = await house.browser()
    await tablet.get(link)
    assert tablet.status == status


async def test_a_new_link_ends_the_old_one_and_the_old_sign_in(
    house, owner, link, tablet
):
    await tablet.pin(PINS["clerk"])
    [device] = await house.devices()
    await owner.tills()
    await owner.post(f"/merchant/tills/devices/{device.id}/link", {})
    fresh = owner.link()
    assert fresh != link

    await tablet.get("/till/")
    assert tablet.path == "/till/signin"
    replaced = await (await house.browser()).open_link(link)
    assert replaced.status == 410
    again = await (await house.browser()).open_link(fresh)
    assert again.path == "/till/shift"
    assert len(await house.devices()) == 1


async def test_a_tablet_that_becomes_another_device_is_the_old_one_no_more(
    house, owner, tablet, shop
):
    second = await owner.add_device("入口", shop.shop.id)
    await tablet.pin(PINS["clerk"])
    before = tablet.cookies()
    await tablet.get(second)
    assert "いまこの端末はレジ「カウンター」です" in tablet.page
    await tablet.post(second, {})
    assert "端末「入口」" in tablet.page

    copied = await house.browser(**before)
    await copied.get("/till/")
    assert copied.path == "/till/signin"


@pytest.mark.parametrize("token", ["x" * 43, "short", "あ" * 30])
async def test_a_link_that_never_was_opens_nothing(house, token):
    browser = await house.browser()
    await browser.post(f"/till/device/{token}", {"key": "k"})
    assert browser.status in {404, 410}
    assert "till_device" not in browser.cookies()


# --- staying signed in ------------------------------------------------------------


async def test_a_device_stays_signed_in_over_midnight_and_a_closed_month(tablet, clock):
    await tablet.pin(PINS["clerk"])
    for hour in range(14):
        # From 15:00 over midnight to after the cut of the business day, in use.
        clock.move(hours=1)
        await tablet.get("/till/")
        assert tablet.path == "/till/", hour
    clock.move(days=35)
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"
    await tablet.pin(PINS["clerk"])
    assert tablet.path == "/till/"


async def test_using_a_device_renews_its_cookie(tablet, clock):
    await tablet.pin(PINS["clerk"])
    clock.move(minutes=2)
    await tablet.get("/till/")
    renewed = tablet.answer.cookies["till_device"]
    assert renewed.value == tablet.cookies()["till_device"]
    assert renewed["max-age"] == str(400 * 86_400)
    assert renewed["httponly"]

    await tablet.get("/till/")
    assert "till_device" not in tablet.answer.cookies


async def test_over_tls_the_cookie_is_bound_to_the_host(settings, shop):
    assert settings.is_https
    assert device_cookie(settings) == "__Host-till_device"


async def test_who_went_home_last_night_is_not_on_shift_in_the_morning(tablet, clock):
    await tablet.pin(PINS["clerk"])
    clock.move(hours=6, seconds=1)
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"


async def test_without_a_shift_every_page_asks_for_a_pin_and_comes_back(tablet):
    for path in ("/till/", "/till/auto", "/till/claims", "/till/find?q=花子"):
        await tablet.get(path)
        assert tablet.path == "/till/shift", path
    await tablet.get("/c/0000000000000")
    assert tablet.path == "/till/shift"
    await tablet.get("/till/claims")
    await tablet.post(str(tablet.answer.url.relative()), {"pin": PINS["clerk"]})
    assert tablet.path == "/till/claims"


async def test_a_device_offers_no_sign_in_by_e_mail(house, tablet):
    await tablet.get("/till/signin?next=/till/claims")
    assert tablet.path == "/till/shift"
    form = {"email": "owner@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await tablet.post("/till/signin", form)
    assert tablet.path == "/till/shift"

    other = await house.browser()
    await other.get("/till/shift?next=/till/claims")
    assert other.path == "/till/signin"
    assert other.answer.url.query["next"] == "/till/claims"
    await other.post("/till/shift", {"pin": PINS["owner"]})
    assert other.path == "/till/signin"


async def test_settings_in_the_same_browser_are_nobody_on_shift(tablet):
    await tablet.settings()
    await tablet.get("/till/")
    assert tablet.path == "/till/shift"
    await tablet.tills()
    assert tablet.path == "/merchant/tills"


# --- its end ----------------------------------------------------------------------


async def test_a_stopped_device_is_out_at_its_next_request_also_as_a_copy(
    house, owner, tablet
):
    await tablet.pin(PINS["clerk"])
    copy = tablet.cookies()
    [device] = await house.devices()
    await owner.tills()
    for _ in range(2):
        path = f"/merchant/tills/devices/{device.id}/revoke"
        await owner.post(path, {"do": "revoke"})
        assert "端末の使用を止めました" in owner.page

    for browser in (tablet, await house.browser(**copy)):
        await browser.get("/till/")
        assert browser.path == "/till/signin"
        await browser.post("/till/shift", {"pin": PINS["clerk"]})
        assert browser.path == "/till/signin"
    assert "レジ端末はまだありません" in owner.page


async def test_a_shift_is_good_on_its_own_device_only(house, tablet, shop):
    await tablet.pin(PINS["clerk"])
    shift = tablet.cookies()["till"]
    stranger = await house.browser(till=shift)
    await stranger.get("/till/")
    assert stranger.path == "/till/signin"

    second = await house.device(shop.shop.id, "入口")
    mixed = await house.browser(till=shift, till_device=second.cookies()["till_device"])
    await mixed.get("/till/")
    assert mixed.path == "/till/shift"


async def test_a_device_knows_nobody_of_another_merchant(
    house, db, vault, clock, tablet
):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_umi")

    def give(tx):
        mac = vault.pin_mac(other.merchant.id, "777123")
        update_staff(tx, other.merchant.id, other.owner.id, pin_mac=mac)

    await db.write(give)
    await tablet.pin("777123")
    assert tablet.status == 401
    stranger = await (await house.browser()).settings("owner", "umi")
    [device] = await house.devices()
    await stranger.tills()
    for act in ("revoke", "link"):
        await stranger.post(f"/merchant/tills/devices/{device.id}/{act}", {})
        assert stranger.status == 404
    await tablet.pin(PINS["clerk"])
    assert tablet.path == "/till/"


# --- several shops, several devices -------------------------------------------------


async def test_a_device_stands_in_one_shop_and_asks_for_none(house, db, shop, clock):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲"},
        shops=({"key": "station", "name": "駅前店"},),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    shops = {s.key: s.id for s in await db.read(list_shops, shop.merchant.id)}
    tablet = await house.device(shops["station"])
    await tablet.pin(PINS["clerk"])
    assert tablet.path == "/till/"
    assert "駅前店" in tablet.page
    assert "店舗を変える" not in tablet.page
    await tablet.get("/till/shop")
    assert tablet.path == "/till/"
    await tablet.post("/till/shop", {"shop": shops["main"]})
    assert tablet.status == 403


async def test_the_language_stays_when_the_shift_changes(tablet):
    await tablet.get("/till/shift?lang=en")
    assert "Enter your PIN" in tablet.page
    await tablet.pin(PINS["clerk"])
    assert "On shift: clerk" in tablet.page
    await tablet.post("/till/language", {"language": "ja"})
    await tablet.post("/till/signout", {})
    assert tablet.path == "/till/shift"
    assert "PINを入力してください" in tablet.page


async def test_a_till_is_open_while_somebody_is_on_shift(tablet, db, shop, clock):
    async def is_open():
        return await db.read(is_till_open, shop.merchant.id, clock.now())

    assert not await is_open()
    await tablet.pin(PINS["clerk"])
    assert await is_open()
    clock.move(minutes=2)
    assert not await is_open()
    await tablet.get("/till/")
    assert await is_open()
    await tablet.post("/till/signout", {})
    assert not await is_open()
