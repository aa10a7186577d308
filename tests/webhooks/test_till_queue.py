"""Stamps that a till kept without network, over real HTTP: late, but once."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import find_cards, ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.link import link_customers
from core.actions.scanning import member_key
from core.actions.signin import logins
from core.rules.asking import StampAsk
from core.rules.member_codes import member_code
from core.vault import Vault
from tests.builders import build_shop, coffee, person
from tests.webhooks.rooms import Staff, field, serve_rooms

KEY = "a-key-of-a-page-01"
HOUR = 3_600_000


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


class Till(Staff):
    """A till that sends what it kept."""

    def mark(self, name):
        return re.search(rf'data-{name}="([^"]*)"', self.page)[1]

    async def late(self, what, status=200, **more):
        answer = await self.raw(what, **more)
        assert answer.status == status, (answer.status, await answer.text())
        return await answer.json()

    async def raw(self, what, **more):
        body = {"what": what, "key": KEY, "n": 1, "age": 0, "pass": self.mark("pass")}
        csrf = field(self.page, "csrf")
        return await self.client.post(
            "/till/queue", json=body | more, headers={"X-CSRF-Token": csrf}
        )


@pytest.fixture
async def till(client) -> Till:
    found = Till(client)
    await found.sign_in("clerk@aozora.jp")
    await found.get("/till/")
    return found


async def a_card(db, shop, clock, key="open", name="太郎", program="coffee"):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key=program,
        key=key,
        now=clock.now(),
        name=name,
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


@pytest.fixture
async def view(db, shop, clock):
    return await a_card(db, shop, clock)


async def entries(db, view, kind="stamp"):
    found = await db.read(ledger, view.card.merchant_id, view.card.id)
    return [entry for entry in found if entry.kind == kind]


# --- once ---------------------------------------------------------------------------


async def test_what_was_kept_is_given_and_says_whose_it_is(till, db, shop, view):
    said = await till.late(view.card.code, age=HOUR)
    assert said["outcome"] == "granted"
    assert (said["who"], said["balance"]) == ("太郎さん", "1 / 10")
    assert said["card"] == f"/c/{view.card.code}"
    [entry] = await entries(db, view)
    assert (entry.stamps, entry.how, entry.shop_id) == (1, "scan", shop.shop.id)


async def test_five_at_once_are_one_stamp_with_one_answer(till, db, view):
    answers = await asyncio.gather(*(till.late(view.card.code) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["outcome"] == "granted"
    assert len(await entries(db, view)) == 1


async def test_a_form_that_did_arrive_is_not_given_again(till, db, view):
    await till.get(f"/c/{view.card.code}")
    key = field(till.page, "key")
    page = await till.post(f"/till/cards/{view.card.code}/stamps", {"n": "2"})
    assert "付与しました" in page
    said = await till.late(view.card.code, key=key, n=2, age=1000)
    assert (said["outcome"], said["balance"]) == ("granted", "2 / 10")
    assert len(await entries(db, view)) == 1


async def test_a_form_that_arrives_after_its_late_copy_gets_the_same_answer(
    till, db, view
):
    await till.get(f"/c/{view.card.code}")
    await till.late(view.card.code, key=field(till.page, "key"))
    page = await till.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert "付与しました" in page
    assert len(await entries(db, view)) == 1


async def test_both_at_once_are_one_stamp(till, db, view):
    await till.get(f"/c/{view.card.code}")
    form = {name: field(till.page, name) for name in ("csrf", "key")} | {"n": "1"}
    path = f"/till/cards/{view.card.code}/stamps"
    await asyncio.gather(
        *(till.client.post(path, data=form) for _ in range(3)),
        *(till.late(view.card.code, key=form["key"]) for _ in range(3)),
    )
    assert len(await entries(db, view)) == 1


async def test_a_card_that_was_linked_meanwhile_gets_it_once(
    till, db, shop, view, clock
):
    await till.late(view.card.code)
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key="line",
        how="line",
        code=(await shop.till_code(clock.now())).code,
        person=person(),
    )
    granted = await db.write(grant_stamps, ask, clock.now())
    line = await db.read(load_card, shop.merchant.id, granted.card_id, clock.now())
    await db.write(
        link_customers,
        merchant_id=shop.merchant.id,
        from_id=view.customer.id,
        to_id=line.customer.id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    said = await till.late(view.card.code)
    assert said["outcome"] == "granted"
    after = await db.read(load_card, shop.merchant.id, granted.card_id, clock.now())
    assert after.face.balance == 2


async def test_the_same_key_for_another_number_is_no_second_stamp(till, db, view):
    await till.late(view.card.code)
    said = await till.late(view.card.code, 400, n=3)
    assert said["outcome"] == "refused"
    assert len(await entries(db, view)) == 1


# --- when ---------------------------------------------------------------------------


async def test_it_counts_for_the_day_on_which_it_was_scanned(till, db, view, clock):
    scanned = clock.now()
    clock.move(hours=16)  # the next business day
    said = await till.late(view.card.code, age=16 * HOUR)
    assert said["outcome"] == "granted"
    [entry] = await entries(db, view)
    assert entry.at == scanned
    # So that today's stamp is still to be had.
    said = await till.late(view.card.code, key="another-key", age=0)
    assert said["outcome"] == "granted"


async def test_a_second_one_of_the_same_day_is_refused_with_the_reason(till, db, view):
    await till.late(view.card.code, age=HOUR)
    for _ in range(2):
        said = await till.late(view.card.code, key="another-key", age=0)
        assert said["outcome"] == "refused"
        assert "本日分は付与済み" in said["words"]
        assert said["who"] == "太郎さん"
    assert len(await entries(db, view)) == 1


@pytest.mark.parametrize("age", [-HOUR, 25 * HOUR, 10**18, None, "soon", True, 1.5])
async def test_a_clock_that_cannot_be_right_counts_as_now(till, db, view, clock, age):
    clock.move(hours=30)
    assert (await till.late(view.card.code, age=age))["outcome"] == "granted"
    [entry] = await entries(db, view)
    assert entry.at == clock.now()


async def test_the_history_of_a_card_stays_in_order(till, db, view, clock):
    clock.move(hours=16)
    await till.late(view.card.code, age=0)
    last = clock.now()
    clock.move(hours=1)
    # Scanned yesterday, sent after today's stamp: now it would be today's second.
    said = await till.late(view.card.code, key="another-key", age=17 * HOUR)
    assert said["outcome"] == "refused"
    [entry] = await entries(db, view)
    assert entry.at == last


async def test_nothing_is_older_than_its_card(till, db, view, clock):
    said = await till.late(view.card.code, age=5 * HOUR)
    assert said["outcome"] == "granted"
    [entry] = await entries(db, view)
    assert entry.at == view.card.issued_at


# --- whose --------------------------------------------------------------------------


async def test_it_names_who_scanned_it_and_not_who_sends_it(till, client, db, view):
    mark = till.mark("pass")
    await till.post("/till/signout", {})
    other = Till(client)
    await other.sign_in("manager@aozora.jp")
    await other.get("/till/")
    await other.late(view.card.code, **{"pass": mark})
    await other.late(view.card.code, key="another-key", age=0)
    [entry] = await entries(db, view)
    clerk = await db.read(load_staff, view.card.merchant_id, "clerk@aozora.jp")
    assert entry.staff_id == clerk


@pytest.mark.parametrize("token", ["", "x.y.z", None, 5])
async def test_a_forged_mark_counts_as_whoever_is_signed_in(till, db, view, token):
    await till.late(view.card.code, **{"pass": token})
    [entry] = await entries(db, view)
    clerk = await db.read(load_staff, view.card.merchant_id, "clerk@aozora.jp")
    assert entry.staff_id == clerk


async def test_another_merchant_neither_sends_nor_sees_it(
    till, client, db, settings, clock, view
):
    mark = till.mark("pass")
    vault = Vault(settings.secret_key.get_secret_value())
    await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    await till.post("/till/signout", {})
    other = Till(client)
    await other.sign_in("clerk@yamato.jp")
    await other.get("/till/")
    said = await other.late(view.card.code, 409, **{"pass": mark})
    assert said == {"outcome": "elsewhere"}
    # Nor with a mark of their own: the card does not exist for them.
    said = await other.late(view.card.code, 404)
    assert said["outcome"] == "refused"
    assert "who" not in said
    assert await entries(db, view) == []


async def test_nobody_signed_in_keeps_it_waiting(till, client, view):
    page = till.page
    await till.post("/till/signout", {})
    till.page = page
    assert (await client.get("/till/queue", allow_redirects=False)).status == 401
    assert (await till.raw(view.card.code)).status == 401


async def test_the_till_is_told_whose_it_is_now(till, client, shop):
    said = await (await client.get("/till/queue")).json()
    assert said["merchant"] == shop.merchant.id == till.mark("merchant")
    assert said["csrf"] == field(till.page, "csrf")


async def test_a_page_with_an_old_token_sends_nothing(till, client, db, view):
    old = till.page
    await till.post("/till/signout", {})
    again = Till(client)
    await again.sign_in("clerk@aozora.jp")
    again.page = old
    assert (await again.raw(view.card.code)).status == 403
    assert await entries(db, view) == []


# --- for whom -----------------------------------------------------------------------


async def test_a_url_a_number_or_a_members_code_name_the_card(till, db, view, clock):
    number = view.customer.member_no
    plain = number.replace("-", "")
    wide = plain.translate({ord(str(n)): "０１２３４５６７８９"[n] for n in range(10)})
    texts = (
        f"https://stamps.example.jp/c/{view.card.code}",
        view.card.code.lower(),
        number,
        wide,
    )
    for day, text in enumerate(texts):
        clock.move(days=1)
        said = await till.late(text, key=f"another-key-{day}")
        assert said["outcome"] == "granted", text
    assert len(await entries(db, view)) == len(texts)


async def test_a_members_code_counts_by_the_minute_of_its_scan(
    till, db, view, clock, vault
):
    code = member_code(view.customer, member_key(vault), clock.now())
    clock.move(hours=3)
    said = await till.late(code, 400)
    assert "確かめられません" in said["words"]
    # A picture of it, taken long before the scan, is worth nothing here either.
    said = await till.late(code, 400, age=2 * HOUR)
    assert said["outcome"] == "refused"
    url = f"https://stamps.example.jp/c/{code}"
    said = await till.late(url, age=3 * HOUR)
    assert (said["outcome"], said["who"]) == ("granted", "太郎さん")
    assert len(await entries(db, view)) == 1


async def test_of_several_cards_it_is_the_one_of_the_pads_program(
    till, db, shop, clock
):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲", "timezone": "Asia/Tokyo"}
        | {"day_starts_at": 5, "contact": "", "languages": ["ja"]},
        programs=(("tea", coffee(name="紅茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    for program in ("coffee", "tea"):
        await db.write(
            open_card,
            merchant_id=shop.merchant.id,
            program_key=program,
            key=program,
            now=clock.now(),
            external_id="pos-7",
        )
    [view, _] = await db.read(
        find_cards, shop.merchant.id, clock.now(), external_id="pos-7"
    )
    number = view.customer.member_no
    said = await till.late(number, 400)
    assert "カードが複数" in said["words"]
    said = await till.late(number, program="tea")
    assert said["program"] == "紅茶カード"
    said = await till.late(number, program="coffee")
    assert said["program"] == "紅茶カード"  # the same key: its first answer


@pytest.mark.parametrize("what", ["0000-0000", "だれか", "STAMP 12345678", "/c/x"])
async def test_what_is_nobodys_is_refused_for_ever(till, what):
    said = await till.late(what, 404)
    assert said["outcome"] == "refused"
    assert "見つかりません" in said["words"]


@pytest.mark.parametrize(
    "body",
    [
        {"n": 0},
        {"n": 51},
        {"n": "1"},
        {"n": True},
        {"key": "short"},
        {"key": "x" * 65},
        {"key": None},
        {"what": ""},
        {"what": "x" * 201},
        {"what": 5},
        {"program": 5},
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(till, db, view, body):
    said = await till.late(**({"what": view.card.code, "status": 400} | body))
    assert said["outcome"] == "refused"
    assert await entries(db, view) == []


@pytest.mark.parametrize(
    ("sent", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 3000, "application/json", 400),
        (b" " * 5000, "application/json", 413),
        (b"{}", "text/plain", 415),
    ],
)
async def test_what_is_no_item_is_refused(till, sent, kind, status):
    headers = {"X-CSRF-Token": field(till.page, "csrf"), "Content-Type": kind}
    answer = await till.client.post("/till/queue", data=sent, headers=headers)
    assert answer.status == status


# --- not wanted after all -----------------------------------------------------------


async def test_what_was_cancelled_is_never_given_however_late_it_comes(till, db, view):
    await till.get(f"/c/{view.card.code}")
    key = field(till.page, "key")
    for _ in range(2):
        said = await till.late(view.card.code, key=key, do="withdraw")
        assert said["outcome"] == "withdrawn"
    # The request that was thought lost comes in after all.
    await till.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert (await till.late(view.card.code, key=key))["outcome"] == "refused"
    assert await entries(db, view) == []


async def test_what_had_arrived_is_undone_once(till, db, view, clock):
    await till.late(view.card.code)
    clock.move(minutes=2)
    for _ in range(2):
        said = await till.late(view.card.code, do="withdraw")
        assert said["outcome"] == "undone"
    assert len(await entries(db, view, "undo")) == 1
    after = await db.read(load_card, view.card.merchant_id, view.card.id, clock.now())
    assert after.face.balance == 0


async def test_a_form_that_had_arrived_is_undone_too(till, db, view):
    await till.get(f"/c/{view.card.code}")
    key = field(till.page, "key")
    await till.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    said = await till.late(view.card.code, key=key, do="withdraw")
    assert said["outcome"] == "undone"
    assert len(await entries(db, view, "undo")) == 1


async def test_giving_and_cancelling_at_once_end_without_a_stamp(till, db, view, clock):
    await asyncio.gather(
        *(till.late(view.card.code) for _ in range(3)),
        *(till.late(view.card.code, do="withdraw") for _ in range(3)),
    )
    await till.late(view.card.code, do="withdraw")
    after = await db.read(load_card, view.card.merchant_id, view.card.id, clock.now())
    assert after.face.balance == 0


async def test_what_can_no_longer_be_undone_says_so_with_the_customer(
    till, db, view, clock
):
    await till.late(view.card.code)
    clock.move(minutes=11)
    said = await till.late(view.card.code, do="withdraw")
    assert said["outcome"] == "refused"
    assert "すでに付いていて" in said["words"]
    assert said["who"] == "太郎さん"
    assert len(await entries(db, view)) == 1


async def test_the_till_speaks_english_here_too(till, db, view):
    await till.post("/till/language", {"language": "en", "back": "/till/"})
    assert (await till.late(view.card.code))["words"] == "+1 given"
    assert (await till.late("0000-0000", 404, key="another-key"))["words"].startswith(
        "No card was found"
    )


def load_staff(tx, merchant_id, email):
    found = (login.staff for login in logins(tx, email))
    return next(staff.id for staff in found if staff.merchant_id == merchant_id)
