"""Who is on shift, by PIN: what they give carries their name and the device's shop."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.cards import ledger, load_card
from core.actions.join import open_card
from core.actions.tills import is_till_open
from core.store.tables import pin_lock
from tests.stories.processes import eventually
from tests.webhooks.devices import PINS, give_pins, open_house
from tests.webhooks.test_till import Events, claim
from tests.webhooks.test_till_asked import Customer


@pytest.fixture
async def house(db, settings, clock, shop, vault):
    await give_pins(db, vault, shop.merchant.id)
    async with open_house(db, settings, clock) as found:
        yield found


@pytest.fixture
async def tablet(house, shop):
    return await house.device(shop.shop.id)


@pytest.fixture
async def view(db, shop, clock):
    """太郎's card, without LINE."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open:太郎",
        now=clock.now(),
        name="太郎",
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


async def entries(db, view):
    return await db.read(ledger, view.card.merchant_id, view.card.id)


async def let_go(house, role):
    owner = await (await house.browser()).settings()
    await owner.tills()
    path = f"/merchant/tills/staff/{await house.staff_id(role)}"
    await owner.post(path, {"do": "leave"})
    assert "退職にしました" in owner.page


# --- what is given carries who and where --------------------------------------------


async def test_stamps_undo_and_rewards_carry_who_is_on_shift_and_the_shop(
    house, tablet, db, shop, clock, view
):
    await tablet.pin(PINS["clerk"])
    assert "担当: clerkさん" in tablet.page
    clerk = await house.staff_id("clerk")
    await tablet.get(f"/c/{view.card.code}")
    await tablet.post(f"/till/cards/{view.card.code}/stamps", {"n": "2"})
    [stamp] = [e for e in await entries(db, view) if e.kind == "stamp"]
    assert (stamp.staff_id, stamp.shop_id) == (clerk, shop.shop.id)

    await tablet.post(f"/till/cards/{view.card.code}/undo", {"entry": stamp.id})
    [undo] = [e for e in await entries(db, view) if e.kind == "undo"]
    assert (undo.staff_id, undo.shop_id) == (clerk, shop.shop.id)

    hanako = await Customer(db, shop, clock).fill()
    asked = await hanako.ask()
    await tablet.pin(PINS["manager"])
    await tablet.get("/till/")
    await tablet.post(f"/till/asked/{asked.id}/confirm", {})
    [used] = [e for e in await entries(db, hanako.view) if e.kind == "redeem"]
    manager = await house.staff_id("manager")
    assert (used.staff_id, used.shop_id) == (manager, shop.shop.id)


async def test_a_waiting_code_keeps_through_a_change_and_is_whose_it_was(
    house, tablet, db, shop, clock
):
    await tablet.pin(PINS["clerk"])
    await tablet.post("/till/codes", {"program": "coffee", "stamps": "1"})
    place = tablet.path
    assert f'href="/till/shift?next={place}"' in tablet.page

    await tablet.pin(PINS["manager"], place)
    assert tablet.path == place
    assert "読み取り待ち" in tablet.page
    granted = await claim(db, shop, clock, place.rsplit("/", 1)[1])
    await tablet.get(place)
    assert "付与しました" in tablet.page
    view = await db.read(load_card, shop.merchant.id, granted.card_id, clock.now())
    [stamp] = [e for e in await entries(db, view) if e.kind == "stamp"]
    clerk = await house.staff_id("clerk")
    assert (stamp.staff_id, stamp.shop_id) == (clerk, shop.shop.id)


async def test_one_tap_takes_back_what_is_ones_own_not_what_is_the_tills(
    house, tablet, db, shop, view, vault
):
    await tablet.pin(PINS["manager"])
    await tablet.get(f"/c/{view.card.code}")
    await tablet.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    [stamp] = await entries(db, view)
    undo = f"/till/cards/{view.card.code}/undo"

    await tablet.pin(PINS["clerk"])
    await tablet.get(f"/c/{view.card.code}")
    await tablet.post(undo, {"entry": stamp.id})
    assert len(await entries(db, view)) == 1

    # Whoever gave it may, from another device too.
    other = await house.device(shop.shop.id, "入口")
    await other.pin(PINS["manager"])
    await other.get(f"/c/{view.card.code}")
    await other.post(undo, {"entry": stamp.id})
    assert [e.kind for e in await entries(db, view)] == ["undo", "stamp"]


async def test_a_form_of_the_shift_before_does_nothing_for_the_next(tablet, db, view):
    await tablet.pin(PINS["clerk"])
    await tablet.get(f"/c/{view.card.code}")
    old = tablet.page
    await tablet.pin(PINS["manager"])
    tablet.page = old
    await tablet.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert tablet.status == 403
    assert not await entries(db, view)


async def test_ending_a_shift_leaves_the_device_signed_in(house, tablet):
    await tablet.pin(PINS["clerk"])
    assert "担当を終える" in tablet.page
    await tablet.post("/till/signout", {})
    assert tablet.path == "/till/shift"
    assert "端末「カウンター」" in tablet.page
    acts = [act for act, _ in await house.acts() if act.startswith("shift.")]
    assert acts == ["shift.began", "shift.ended"]


async def test_changing_can_be_called_off(tablet):
    await tablet.pin(PINS["clerk"], "/till/claims")
    await tablet.get("/till/shift?next=/till/claims")
    assert "いまの担当: clerkさん" in tablet.page
    assert 'href="/till/claims"' in tablet.page
    await tablet.get("/till/claims")
    assert "担当: clerkさん" in tablet.page


@pytest.mark.parametrize("after", ["//evil.example", "/till/shift", "/till/signin?x"])
async def test_after_a_pin_nobody_is_sent_elsewhere_or_in_a_circle(tablet, after):
    await tablet.pin(PINS["clerk"], after)
    assert tablet.path == "/till/"


# --- wrong PINs ---------------------------------------------------------------------


async def test_five_wrong_pins_are_free_and_each_more_waits_longer(tablet, clock):
    for _ in range(5):
        await tablet.pin("9753")
        assert tablet.status == 401
        assert "PINが違います" in tablet.page
    for seconds in (5, 10, 20):
        await tablet.pin("9753")
        assert tablet.status == 429
        assert f"あと{seconds}秒" in tablet.page
        assert tablet.answer.headers["Retry-After"] == str(seconds)

        await tablet.pin(PINS["clerk"])
        assert tablet.status == 429
        clock.move(seconds=seconds)
    await tablet.pin(PINS["clerk"])
    assert tablet.path == "/till/"


async def test_what_cannot_be_a_pin_is_no_guess(house, tablet):
    for typed in ("", "12", "1234567", "abcd"):
        await tablet.pin(typed)
        assert tablet.status == 422
    assert not await house.rows(pin_lock)
    await tablet.pin("５０９３")
    assert tablet.path == "/till/"


async def test_a_pin_of_ones_own_buys_no_more_guesses(tablet):
    for guess in ("9751", "9752", "9753"):
        await tablet.pin(guess)
    await tablet.pin(PINS["clerk"])
    await tablet.pin("9754")
    await tablet.pin("9755")
    assert tablet.status == 401
    await tablet.pin("9756")
    assert tablet.status == 429


async def test_guesses_sent_all_at_once_are_counted_one_by_one(house, tablet):
    guesses = [str(number) for number in range(9700, 9711)]
    answers = await asyncio.gather(
        *(tablet.session.post("/till/shift", data={"pin": guess}) for guess in guesses)
    )
    assert sorted(a.status for a in answers) == [401] * 5 + [429] * 6
    [count] = await house.rows(pin_lock)
    # Only the sixth was looked at too; the others met a closed place.
    assert count.failures == 6


async def test_a_device_that_is_closed_closes_no_other(house, tablet, shop):
    other = await house.device(shop.shop.id, "入口")
    for _ in range(6):
        await tablet.pin("9753")
    assert tablet.status == 429
    await other.pin(PINS["clerk"])
    assert other.path == "/till/"


# --- the end of a shift by others ---------------------------------------------------


async def test_who_is_let_go_is_off_the_till_at_the_next_tap(house, tablet, db, view):
    await tablet.pin(PINS["clerk"])
    await tablet.get(f"/c/{view.card.code}")
    await let_go(house, "clerk")

    await tablet.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert tablet.path == "/till/shift"
    assert not await entries(db, view)
    await tablet.pin(PINS["clerk"])
    assert tablet.status == 401


async def test_open_streams_end_with_the_shift_and_with_the_device(house, tablet):
    owner = await (await house.browser()).settings()
    await tablet.pin(PINS["clerk"])
    async with tablet.session.get("/till/asked/events") as answer:
        events = Events(answer)
        await events.next()
        await tablet.pin(PINS["manager"])
        assert await events.next() is None
    async with tablet.session.get("/till/asked/events") as answer:
        events = Events(answer)
        await events.next()
        [device] = await house.devices()
        await owner.tills()
        await owner.post(f"/merchant/tills/devices/{device.id}/revoke", {})
        assert await events.next() is None


async def test_two_devices_show_the_same_requests(house, tablet, db, shop, clock):
    other = await house.device(shop.shop.id, "入口")
    await tablet.pin(PINS["clerk"])
    await other.pin(PINS["manager"])
    hanako = await Customer(db, shop, clock).fill()
    async with (
        tablet.session.get("/till/asked/events") as one,
        other.session.get("/till/asked/events") as two,
    ):
        tills = [Events(one), Events(two)]
        for events in tills:
            assert "花子さん" not in await events.next()
        asked = await hanako.ask()
        for events in tills:
            assert f"/till/asked/{asked.id}/confirm" in await events.next()
        await other.get("/till/")
        await other.post(f"/till/asked/{asked.id}/confirm", {})
        for events in tills:
            assert "花子さん" not in await events.next()


async def test_a_page_that_stays_open_keeps_the_till_open(tablet, db, shop, clock):
    await tablet.pin(PINS["clerk"])
    async with tablet.session.get("/till/asked/events") as answer:
        events = Events(answer)
        await events.next()
        hanako = await Customer(db, shop, clock).fill()
        clock.move(hours=5)
        await hanako.ask()
        await events.next()
        # The page notes that it is there a moment after it has told.
        await eventually(lambda: db.read(is_till_open, shop.merchant.id, clock.now()))
        clock.move(hours=5)
        await tablet.get("/till/")
        assert tablet.path == "/till/"


async def test_a_page_left_open_at_the_till_keeps_no_settings_open(house, clock):
    owner = await (await house.browser()).settings()
    await owner.get("/till/")
    async with owner.session.get("/till/asked/events") as answer:
        events = Events(answer)
        await events.next()
        clock.move(hours=7, minutes=59)
        async with owner.session.get("/till/asked/events") as other:
            await Events(other).next()
        clock.move(minutes=2)
        assert await events.next() is None
    await owner.get("/merchant/")
    assert owner.path == "/merchant/signin"


async def test_the_pin_is_nowhere_but_in_the_form_that_brings_it(house, tablet, capfd):
    await tablet.pin("9753")
    await tablet.pin(PINS["clerk"])
    said = "".join(capfd.readouterr()) + tablet.page
    said += str(await house.acts()) + str(await house.rows(pin_lock))
    # Alone, that is: not four letters of an id, nor of a file's hash.
    alone = rf"(?<![0-9A-Za-z])(9753|{PINS['clerk']})(?![0-9A-Za-z])"
    found = re.search(alone, said)
    assert found is None, said[found.start() - 200 : found.end() + 50]
