"""Auto mode over real HTTP: one code each half minute, and who claimed it."""

from __future__ import annotations

import re

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.programs import pause_program
from core.actions.signin import end_session
from core.actions.undo import undo_grant
from core.rules.asking import Granted, StampAsk
from core.vault import hash_token
from tests.builders import coffee, person
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


def digits_of(page):
    [found] = re.findall(r"<b>(\d{3}) (\d{3})</b>", page)
    return "".join(found)


@pytest.fixture
def claim(db, shop, clock):
    """A customer types the digits that the page shows."""

    async def do(page, number=1, name="花子"):
        digits = digits_of(page)
        ask = StampAsk(
            merchant_id=shop.merchant.id,
            key=f"line:{digits}:{number}",
            how="line",
            code=digits,
            person=person(number, name),
        )
        return await db.write(grant_stamps, ask, clock.now())

    return do


async def add_tea(db, clock):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲", "timezone": "Asia/Tokyo"}
        | {"day_starts_at": 5, "contact": "", "languages": ["ja"]},
        programs=(("tea", coffee(name="紅茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())


async def test_the_code_is_shown_as_a_picture_and_as_digits(staff):
    page = await staff.get("/till/auto")
    assert "<svg" in page
    assert len(digits_of(page)) == 6


async def test_many_customers_claim_one_code_and_are_named(staff, client, clock, claim):
    page = await staff.get("/till/auto")
    async with client.get("/till/auto/events") as answer:
        events = Events(answer)
        assert digits_of(await events.next()) == digits_of(page)
        assert isinstance(await claim(page, 1, "花子"), Granted)
        said = await events.next()
        assert re.search(r"花子さん</b> <b>＋1", said)
        await claim(page, 2, "太郎")
        said = await events.next()
        assert said.index("太郎さん") < said.index("花子さん")
        clock.move(seconds=20)
        assert "さん</b>" not in await events.next()


async def test_a_name_that_was_undone_is_not_shown_any_more(
    staff, client, db, shop, clock, claim
):
    granted = await claim(await staff.get("/till/auto"))
    assert "花子さん" in await staff.get("/till/auto")
    await db.write(
        undo_grant,
        merchant_id=shop.merchant.id,
        entry_id=granted.entry_id,
        by=shop.owner,
        reason="間違い",
        key="undo",
        now=clock.now(),
    )
    assert "花子さん" not in await staff.get("/till/auto")


async def test_each_half_minute_another_code_comes_by_itself(staff, client, clock):
    first = digits_of(await staff.get("/till/auto"))
    clock.move(seconds=29)
    assert digits_of(await staff.get("/till/auto")) == first
    async with client.get("/till/auto/events") as answer:
        events = Events(answer)
        assert digits_of(await events.next()) == first
        clock.move(seconds=1)
        assert digits_of(await events.next()) != first


async def test_the_page_is_told_to_take_a_code_away_while_it_is_still_good(
    staff, clock, claim
):
    clock.move(seconds=12)
    page = await staff.get("/till/auto")
    good = int(re.search(r'data-good="(\d+)"', page)[1])
    assert good == 28
    clock.move(seconds=good)
    assert isinstance(await claim(page), Granted)
    # What the page shows then is there already: it needs no connection.
    assert "コードを新しくできません" in page


async def test_without_a_script_the_page_reloads_before_the_code_is_old(staff, clock):
    def seconds(page):
        head = page.split("</head>")[0]
        found = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+);', head)
        return int(found[1])

    assert seconds(await staff.get("/till/auto")) == 5
    clock.move(seconds=28)
    assert seconds(await staff.get("/till/auto")) == 2


async def test_card_and_number_are_chosen_once_for_this_browser(
    staff, db, clock, claim
):
    await add_tea(db, clock)
    await staff.get("/till/auto?program=tea")
    await staff.get("/till/auto?stamps=3")
    page = await staff.get("/till/")
    assert staff.path == "/till/auto"
    assert "program=tea&amp;stamps=3" in page
    assert (await claim(page)).stamps == 3
    await staff.get("/till/?mode=tap")
    assert staff.path == "/till/"
    await staff.get("/till/")
    assert staff.path == "/till/"
    page = await staff.get("/till/auto")
    assert "program=tea&amp;stamps=3" in page


@pytest.mark.parametrize("asked", ["0", "51", "x", "", "-1"])
async def test_a_number_that_is_none_changes_nothing(staff, asked):
    await staff.get("/till/auto?stamps=4")
    page = await staff.get(f"/till/auto?stamps={asked}")
    assert "<b>4</b>" in page


async def test_a_card_that_is_paused_shows_no_code_any_more(
    staff, client, db, shop, clock
):
    await staff.get("/till/auto")
    async with client.get("/till/auto/events?program=coffee") as answer:
        events = Events(answer)
        assert "<svg" in await events.next()
        await db.write(
            pause_program,
            merchant_id=shop.merchant.id,
            program_id=shop.program.id,
            by=shop.owner,
            now=clock.now(),
        )
        clock.move(seconds=30)
        page = await events.next()
    assert "<svg" not in page
    assert "公開中のカードがありません" in page


async def test_a_till_that_was_signed_out_gets_no_further_code(
    staff, client, db, clock
):
    await staff.get("/till/auto")
    [token] = [c.value for c in client.session.cookie_jar if c.key.endswith("till")]
    async with client.get("/till/auto/events") as answer:
        events = Events(answer)
        assert "<svg" in await events.next()
        await db.write(end_session, hash_token(token))
        clock.move(seconds=30)
        assert await events.next() is None


async def test_who_may_give_no_stamps_sees_no_code(client):
    await client.post(
        "/till/signin",
        data={"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"},
    )
    for path in ("/till/auto", "/till/auto/events"):
        assert (await client.get(path)).status == 403
