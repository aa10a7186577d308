"""The till over real HTTP: a tap, a code, and the page that says what happened."""

from __future__ import annotations

import asyncio
import re

import pytest
from yarl import URL

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.database import Database
from core.rules.asking import Refused, StampAsk
from core.rules.types import Why
from core.vault import Vault
from tests.builders import build_shop, coffee, person
from tests.webhooks.rooms import Staff, field, serve_rooms


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def staff(client) -> Staff:
    found = Staff(client)
    await found.sign_in("clerk@aozora.jp")
    return found


async def tap(staff, stamps=1):
    """Tap a number on the till; the code that is then shown."""
    await staff.get("/till/")
    await staff.post("/till/codes", {"program": "coffee", "stamps": str(stamps)})
    return staff.path.rsplit("/", 1)[1]


async def claim(db, shop, clock, code, *, name="花子", number=1):
    """A customer sends the code in LINE."""
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=f"line:{code}:{number}",
        how="line",
        code=code,
        person=person(number, name),
    )
    return await db.write(grant_stamps, ask, clock.now())


class Events:
    """A page's event stream, as a browser reads it."""

    def __init__(self, answer):
        self.answer = answer

    async def next(self):
        """The next event's data; None when the stream says that it is over."""
        async with asyncio.timeout(10):
            while True:
                lines = []
                while (line := (await self.answer.content.readline()).decode()) != "\n":
                    assert line, "the stream broke off"
                    lines.append(line.rstrip("\n"))
                if "event: end" in lines:
                    return None
                data = [x.removeprefix("data: ") for x in lines if x[:5] == "data:"]
                if data:
                    return "\n".join(data)


# --- signing in and setting up ----------------------------------------------------


async def test_nobody_is_sent_to_the_sign_in_page_and_back(client):
    answer = await client.get("/till/", allow_redirects=False)
    assert answer.status == 303
    target = URL(answer.headers["Location"])
    assert (target.path, target.query["next"]) == ("/till/signin", "/till/")


async def test_a_viewer_gives_no_stamps(client):
    viewer = Staff(client)
    form = {"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await client.post("/till/signin", data=form)
    await viewer.get("/till/", 403)


async def test_a_till_of_several_shops_asks_which_one(client, db, shop, clock):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲", "timezone": "Asia/Tokyo"}
        | {"day_starts_at": 5, "contact": "", "languages": ["ja"]},
        shops=({"key": "main", "name": "本店"}, {"key": "eki", "name": "駅前店"}),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    staff = Staff(client)
    await staff.sign_in("clerk@aozora.jp")
    page = await staff.get("/till/")
    assert staff.path == "/till/shop"
    eki = re.search(r'value="([^"]+)">駅前店', page)[1]
    page = await staff.post("/till/shop", {"shop": eki, "back": "/till/"})
    assert "駅前店" in page
    code = await tap(staff)
    await claim(db, shop, clock, code)
    await staff.post("/till/shop", {"shop": "not-ours"}, 404)


async def test_the_till_speaks_english_when_asked(staff):
    await staff.get("/till/")
    page = await staff.post("/till/language", {"language": "en", "back": "/till/"})
    assert "Give stamps" in page
    assert 'lang="en"' in page


async def test_signing_out_ends_the_session(staff):
    await staff.get("/till/")
    await staff.post("/till/signout", {})
    await staff.get("/till/")
    assert staff.path == "/till/signin"


# --- tap mode ---------------------------------------------------------------------


async def test_one_tap_shows_the_code_its_digits_and_the_time_left(staff):
    code = await tap(staff, 3)
    assert re.fullmatch(r"[0-9A-Z]{8}", code)
    assert "<svg" in staff.page
    assert re.search(r"<b>\d{3} \d{3}</b>", staff.page)
    assert 'data-left="90"' in staff.page
    assert "<b>3</b>" in staff.page


async def test_a_double_tap_makes_one_code(staff):
    await staff.get("/till/")
    form = {"program": "coffee", "stamps": "1"}
    form |= {name: field(staff.page, name) for name in ("csrf", "key")}
    one, two = await asyncio.gather(
        *(staff.client.post("/till/codes", data=form) for _ in range(2))
    )
    assert one.url == two.url


async def test_an_old_page_makes_a_code_for_the_next_customer(staff, db, shop, clock):
    await staff.get("/till/")
    old = staff.page
    await staff.post("/till/codes", {"program": "coffee", "stamps": "1"})
    first = staff.path
    await claim(db, shop, clock, first.rsplit("/", 1)[1])
    staff.page = old
    await staff.post("/till/codes", {"program": "coffee", "stamps": "1"})
    assert staff.path != first
    assert "読み取り待ち" in staff.page


@pytest.mark.parametrize("stamps", ["0", "51", "x", "", "-1", "１"])
async def test_a_number_that_is_none_leads_back_to_the_pad(staff, stamps):
    await staff.get("/till/")
    await staff.post("/till/codes", {"program": "coffee", "stamps": stamps})
    if stamps == "１":  # typed on a Japanese keyboard: plainly a one
        assert staff.path.startswith("/till/codes/")
    else:
        assert staff.path == "/till/"


async def test_the_page_flips_within_the_second_of_the_stamp(
    staff, client, db, shop, clock
):
    code = await tap(staff, 2)
    async with client.get(f"/till/codes/{code}/events") as answer:
        assert answer.content_type == "text/event-stream"
        events = Events(answer)
        assert await events.next() == "waiting"
        started = asyncio.get_running_loop().time()
        await claim(db, shop, clock, code)
        page = await events.next()
        assert asyncio.get_running_loop().time() - started < 1
        for words in ("付与しました", "花子さん", "＋2", "あと8個で「コーヒー1杯」"):
            assert words in page
        assert await events.next() is None


async def test_a_stamp_by_another_process_flips_the_page_too(
    staff, client, db, shop, clock, settings
):
    code = await tap(staff)
    other = await Database.open(settings)
    async with client.get(f"/till/codes/{code}/events") as answer:
        events = Events(answer)
        assert await events.next() == "waiting"
        await claim(other, shop, clock, code)
        assert "付与しました" in await events.next()
    await other.close()


async def test_the_page_says_when_the_time_is_up_and_offers_another(
    staff, client, clock
):
    code = await tap(staff, 4)
    async with client.get(f"/till/codes/{code}/events") as answer:
        events = Events(answer)
        assert await events.next() == "waiting"
        clock.move(seconds=91)
        page = await events.next()
    assert "時間切れです" in page
    assert "もう一度 4個" in page
    staff.page = page
    await staff.post("/till/codes", {"program": "coffee", "stamps": "4"})
    assert "読み取り待ち" in staff.page


async def test_a_full_card_shows_its_voucher(staff, db, shop, clock):
    code = await tap(staff, 10)
    await claim(db, shop, clock, code)
    page = await staff.get(f"/till/codes/{code}")
    assert "カードがいっぱいになりました" in page
    assert re.search(r"特典「コーヒー1杯」.*No\.\d{4}", page)


async def test_a_customer_without_a_name_is_named_by_number(staff, db, shop, clock):
    code = await tap(staff)
    await claim(db, shop, clock, code, name="")
    assert re.search(r"会員番号 \d{4}-\d{4}", await staff.get(f"/till/codes/{code}"))


async def test_a_cancelled_code_gives_no_stamp(staff, db, shop, clock):
    code = await tap(staff)
    await staff.post(f"/till/codes/{code}/cancel", {"program": "coffee"})
    assert staff.path == "/till/"
    outcome = await claim(db, shop, clock, code)
    assert isinstance(outcome, Refused)
    assert outcome.why is Why.expired_code


async def test_cancelling_too_late_shows_that_the_stamp_was_given(
    staff, db, shop, clock
):
    code = await tap(staff)
    await claim(db, shop, clock, code)
    page = await staff.post(f"/till/codes/{code}/cancel", {"program": "coffee"})
    assert "付与しました" in page


async def test_another_merchants_code_does_not_exist_here(staff, db, settings, clock):
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    code = (await other.till_code(clock.now())).code
    for path in (f"/till/codes/{code}", f"/till/codes/{code}/events"):
        await staff.get(path, 404)


async def test_a_form_from_another_site_does_nothing(staff):
    await staff.get("/till/")
    form = {"csrf": "wrong", "program": "coffee", "stamps": "1"}
    await staff.post("/till/codes", form, 403)


async def test_open_pages_do_not_keep_the_server_from_stopping(
    db, settings, clock, shop
):
    async with serve_rooms(db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        code = await tap(staff)
        answer = await client.get(f"/till/codes/{code}/events")
        assert await Events(answer).next() == "waiting"
        async with asyncio.timeout(5):
            await client.server.close()


# --- several programs -------------------------------------------------------------


async def test_with_several_programs_the_till_shows_which_one(staff, db, shop, clock):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲", "timezone": "Asia/Tokyo"}
        | {"day_starts_at": 5, "contact": "", "languages": ["ja"]},
        programs=(("tea", coffee(name="紅茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    page = await staff.get("/till/?program=tea")
    assert field(page, "program") == "tea"
    assert re.search(r'href="/till/\?program=tea" aria-current="true">紅茶カード', page)
    await staff.post("/till/codes", {"program": "tea", "stamps": "1"})
    code = staff.path.rsplit("/", 1)[1]
    outcome = await claim(db, shop, clock, code)
    view = await db.read(load_card, shop.merchant.id, outcome.card_id, clock.now())
    assert view.program.key == "tea"


# --- the customer's own code ------------------------------------------------------


@pytest.fixture
async def view(db, shop, clock):
    """太郎's card, without LINE."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="太郎",
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


async def test_a_scanner_may_type_a_url_a_code_or_a_member_number(staff, view):
    number = view.customer.member_no
    for text in (
        f"https://stamps.example.jp/c/{view.card.code}",
        view.card.code,
        view.card.code.lower(),
        number,
        number.replace("-", ""),
        number.translate({ord(str(n)): "０１２３４５６７８９"[n] for n in range(10)}),
    ):
        answer = await staff.client.get("/till/find", params={"q": text})
        assert (answer.status, answer.url.path) == (200, f"/c/{view.card.code}"), text


@pytest.mark.parametrize("text", ["", "0000-0000", "<b>x</b>", "x" * 300, "\x00"])
async def test_what_is_nobodys_code_is_said_so(staff, text):
    answer = await staff.client.get("/till/find", params={"q": text})
    page = await answer.text()
    assert answer.status == 404
    assert "見つかりません" in page
    assert "<b>x" not in page


async def test_another_merchants_card_is_not_found(staff, db, settings, clock):
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    card_id = await db.write(
        open_card,
        merchant_id=other.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="次郎",
    )
    view = await db.read(load_card, other.merchant.id, card_id, clock.now())
    for text in (view.card.code, view.customer.member_no):
        answer = await staff.client.get("/till/find", params={"q": text})
        assert answer.status == 404
    await staff.get("/till/")
    path = f"/till/cards/{view.card.code}/stamps"
    await staff.post(path, {"n": "1"}, 404)
    fresh = await db.read(load_card, other.merchant.id, card_id, clock.now())
    assert fresh.card.balance == 0


# --- the customer at the till -----------------------------------------------------


async def test_staff_see_the_customer_and_give_a_stamp_with_one_tap(
    staff, view, db, shop, clock
):
    page = await staff.get(f"/c/{view.card.code}")
    for words in ("太郎さん", "<b>0</b> / 10", "はじめて", view.customer.member_no):
        assert words in page
    page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert "付与しました" in page
    assert "<b>1</b> / 10" in page
    fresh = await db.read(load_card, shop.merchant.id, view.card.id, clock.now())
    assert fresh.card.balance == 1


async def test_a_double_tap_is_one_stamp_and_says_so_twice(
    staff, view, db, shop, clock
):
    old = await staff.get(f"/c/{view.card.code}")
    for _ in range(2):
        staff.page = old
        page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
        assert "付与しました" in page
    fresh = await db.read(load_card, shop.merchant.id, view.card.id, clock.now())
    assert fresh.card.balance == 1


async def test_a_refusal_says_why_and_when_next(staff, view):
    for _ in range(2):
        await staff.get(f"/c/{view.card.code}")
        page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert "付与できません" in page
    assert "本日分は付与済みです。次は11/24 5:00から" in page


async def test_several_stamps_are_asked_for_first(staff, view):
    page = await staff.get(f"/c/{view.card.code}?n=3")
    assert "3個付けますか" in page
    page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "3"})
    assert "<b>3</b> / 10" in page


async def test_the_last_visit_and_vouchers_are_shown(staff, view, clock):
    await staff.get(f"/c/{view.card.code}")
    page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "12"})
    assert "カードがいっぱいになりました" in page
    clock.move(days=1)
    page = await staff.get(f"/c/{view.card.code}")
    assert "11/23 15:00" in page
    assert re.search(r"コーヒー1杯 <b>No\.\d{4}", page)


async def test_a_form_cannot_ask_for_nonsense(staff, view):
    await staff.get(f"/c/{view.card.code}")
    for n in ("0", "51", "x", ""):
        await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": n}, 400)
