"""Customers who ask for their reward, as the till shows and confirms them."""

from __future__ import annotations

import re

import pytest

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.redeem import load_voucher
from core.actions.redemptions import ask_redemption, load_redemption
from core.rules.asking import StampAsk
from core.rules.redeeming import Redemption
from core.rules.types import Why
from core.vault import Vault
from core.wording import say
from tests.builders import build_shop, person
from tests.webhooks.rooms import Staff, serve_rooms
from tests.webhooks.test_till import Events


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def staff(client) -> Staff:
    found = Staff(client)
    await found.sign_in("clerk@aozora.jp")
    return found


class Customer:
    """花子, whose card was full once and who wants her coffee."""

    def __init__(self, db, shop, clock):
        self.db, self.shop, self.clock = db, shop, clock

    async def fill(self, number=1, name="花子"):
        now = self.clock.now()
        code = await self.shop.till_code(now, 10)
        ask = StampAsk(
            merchant_id=self.shop.merchant.id,
            key=f"line:{code.code}",
            how="line",
            code=code.code,
            person=person(number, name),
        )
        granted = await self.db.write(grant_stamps, ask, now)
        where = (self.shop.merchant.id, granted.card_id, now)
        self.view = await self.db.read(load_card, *where)
        [self.voucher_id] = granted.vouchers
        return self

    async def ask(self, key="ask") -> Redemption:
        return await self.db.write(
            ask_redemption,
            merchant_id=self.shop.merchant.id,
            voucher_id=self.voucher_id,
            customer_id=self.view.customer.id,
            key=key,
            now=self.clock.now(),
        )

    async def voucher(self):
        return await self.db.read(load_voucher, self.shop.merchant.id, self.voucher_id)

    async def state(self, asked):
        found = await self.db.read(
            load_redemption, self.shop.merchant.id, asked.id, self.clock.now()
        )
        return found.state


@pytest.fixture
async def hanako(db, shop, clock) -> Customer:
    return await Customer(db, shop, clock).fill()


async def test_who_asks_is_shown_with_what_for_and_how_long(staff, hanako, clock):
    await hanako.ask()
    clock.move(seconds=18)
    page = await staff.get("/till/")
    number = (await hanako.voucher()).number
    for words in ("花子さん", "コーヒー1杯", f"No.{number}", "残り282秒"):
        assert words in page


async def test_the_till_learns_of_a_request_within_the_second(staff, client, hanako):
    async with client.get("/till/asked/events") as answer:
        assert answer.content_type == "text/event-stream"
        events = Events(answer)
        assert "花子さん" not in await events.next()
        asked = await hanako.ask()
        page = await events.next()
        assert f"/till/asked/{asked.id}/confirm" in page


async def test_a_request_that_was_waited_for_too_long_goes_by_itself(
    staff, client, hanako, clock
):
    await hanako.ask()
    async with client.get("/till/asked/events") as answer:
        events = Events(answer)
        assert "花子さん" in await events.next()
        clock.move(minutes=5)
        assert "花子さん" not in await events.next()


async def test_one_tap_hands_the_reward_over_and_one_takes_it_back(staff, hanako):
    asked = await hanako.ask()
    await staff.get("/till/")
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    assert "引き換えました" in page
    assert f'action="/till/asked/{asked.id}/confirm"' not in page
    assert (await hanako.voucher()).state == "redeemed"
    assert await hanako.state(asked) == "done"

    [back] = re.findall(r'action="(/till/cards/[^"]+/back)"', page)
    page = await staff.post(back, {})
    assert "特典はまた使えます" in page
    assert (await hanako.voucher()).state == "issued"


async def test_the_same_form_twice_is_one_reward_and_one_answer(staff, hanako):
    asked = await hanako.ask()
    old = await staff.get("/till/")
    for _ in range(2):
        staff.page = old
        page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
        assert "引き換えました" in page


async def test_a_form_sent_again_after_the_take_back_does_not_say_redeemed(
    staff, hanako
):
    asked = await hanako.ask()
    old = await staff.get("/till/")
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    [back] = re.findall(r'action="(/till/cards/[^"]+/back)"', page)
    await staff.post(back, {})
    staff.page = old
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    assert "特典はまた使えます" in page
    assert "引き換えました" not in page
    assert (await hanako.voucher()).state == "issued"


async def test_the_second_till_is_told_that_the_reward_is_gone(staff, hanako, client):
    asked = await hanako.ask()
    old = await staff.get("/till/")
    await staff.post(f"/till/asked/{asked.id}/confirm", {})
    staff.page = old
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {"key": "another"})
    assert say(f"why.{Why.already_used}", "ja") in page
    assert "引き換えました" not in page


async def test_after_ten_minutes_nothing_offers_to_take_it_back(staff, hanako, clock):
    asked = await hanako.ask()
    old = await staff.get("/till/")
    await staff.post(f"/till/asked/{asked.id}/confirm", {})
    clock.move(minutes=11)
    staff.page = old
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    assert "引き換えました" in page
    assert "/back" not in page


async def test_a_request_that_expired_is_refused_in_words(staff, hanako, clock):
    asked = await hanako.ask()
    await staff.get("/till/")
    clock.move(minutes=6)
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    assert "引き換えできません" in page
    assert say(f"why.{Why.expired_request}", "ja") in page
    assert (await hanako.voucher()).state == "issued"


async def test_staff_may_cancel_a_request_and_the_reward_stays(staff, hanako):
    asked = await hanako.ask()
    await staff.get("/till/")
    page = await staff.post(f"/till/asked/{asked.id}/cancel", {})
    assert "受け付けを取り消しました" in page
    assert f'action="/till/asked/{asked.id}/confirm"' not in page
    assert (await hanako.voucher()).state == "issued"
    assert await hanako.state(asked) == "cancelled"


async def test_in_auto_mode_the_answer_stays_in_auto_mode(staff, hanako):
    asked = await hanako.ask()
    page = await staff.get("/till/auto")
    assert "花子さん" in page
    page = await staff.post(f"/till/asked/{asked.id}/confirm", {})
    assert "引き換えました" in page
    assert "/till/auto/events" in page


async def test_the_answers_address_leads_back_to_the_till(staff, hanako):
    asked = await hanako.ask()
    await staff.get(f"/till/asked/{asked.id}/confirm")
    assert staff.path == "/till/"


async def test_another_merchants_request_does_not_exist_here(
    staff, db, settings, clock
):
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    theirs = await Customer(db, other, clock).fill(name="次郎")
    asked = await theirs.ask()
    assert "次郎" not in await staff.get("/till/")
    for what in ("confirm", "cancel"):
        await staff.post(f"/till/asked/{asked.id}/{what}", {}, 404)
    assert (await theirs.voucher()).state == "issued"


async def test_a_viewer_neither_sees_nor_confirms(client, hanako):
    asked = await hanako.ask()
    viewer = Staff(client)
    form = {"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await client.post("/till/signin", data=form)
    await viewer.get("/till/asked/events", 403)
    await viewer.post(f"/till/asked/{asked.id}/confirm", {}, 403)
    assert (await hanako.voucher()).state == "issued"


async def test_a_form_from_another_site_hands_nothing_over(staff, hanako):
    asked = await hanako.ask()
    await staff.get("/till/")
    for what in ("confirm", "cancel"):
        await staff.post(f"/till/asked/{asked.id}/{what}", {"csrf": "wrong"}, 403)
    assert await hanako.state(asked) == "waiting"
