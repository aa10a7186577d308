"""Taking back at the till, and handing rewards over, over real HTTP."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.redeem import load_voucher
from core.rules.asking import StampAsk
from core.vault import Vault
from tests.builders import build_shop, person
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


@pytest.fixture
async def view(db, shop, clock):
    """太郎's card, without LINE."""
    return await a_card(db, shop, clock, "太郎")


async def a_card(db, shop, clock, name):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=f"open:{name}",
        now=clock.now(),
        name=name,
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


async def stamp(db, shop, clock, view, stamps, staff_id=None):
    """Stamps that were given elsewhere; returns the outcome."""
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=f"elsewhere:{view.card.id}:{stamps}",
        how="scan",
        card_id=view.card.id,
        stamps=stamps,
        staff_id=staff_id,
    )
    return await db.write(grant_stamps, ask, clock.now())


async def give(staff, view, n=1):
    """Stamps by scan; the result's page."""
    await staff.get(f"/c/{view.card.code}")
    return await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": str(n)})


def undo_form(page):
    """What the button 取り消す of a page sends, and where to."""
    found = re.search(
        r'action="([^"]+/undo)".*?name="entry" value="([^"]+)"', page, re.DOTALL
    )
    assert found, page
    form = {name: field(page, name) for name in ("csrf", "key")}
    return found[1], form | {"entry": found[2]}


async def kinds(db, shop, view):
    """The kinds of a card's entries, oldest first."""
    entries = await db.read(ledger, shop.merchant.id, view.card.id)
    return [entry.kind for entry in reversed(entries)]


async def balance(db, shop, clock, view):
    fresh = await db.read(load_card, shop.merchant.id, view.card.id, clock.now())
    return fresh.card.balance


# --- a stamp taken back ---------------------------------------------------------------


async def test_a_scanned_stamp_is_taken_back_with_one_tap(staff, view, db, shop, clock):
    await stamp(db, shop, clock, view, 3)
    clock.move(days=1)
    path, form = undo_form(await give(staff, view, 2))
    page = await staff.post(path, form)
    assert "取り消しました" in page
    assert "太郎さん" in page
    assert "3 <small>/ 10</small>" in page
    assert 'data-home="/till/?program=coffee"' in page
    assert 'action="/till/codes"' in page  # ready for the next customer
    assert await kinds(db, shop, view) == ["stamp", "stamp", "undo"]
    assert await balance(db, shop, clock, view) == 3


async def test_a_double_tap_takes_one_stamp_back(staff, view, db, shop, clock):
    path, form = undo_form(await give(staff, view))
    answers = await asyncio.gather(
        *(staff.client.post(path, data=form) for _ in range(2))
    )
    for answer in answers:
        assert "取り消しました" in await answer.text()
    assert await kinds(db, shop, view) == ["stamp", "undo"]


async def test_a_stamp_taken_back_on_another_page_says_so(staff, view, db, shop):
    path, form = undo_form(await give(staff, view))
    await staff.post(path, form)
    page = await staff.post(path, form | {"key": "another"})
    assert "このスタンプは取り消し済みです" in page
    assert await kinds(db, shop, view) == ["stamp", "undo"]


async def test_a_tapped_stamp_is_taken_back_and_its_page_says_so(
    staff, db, shop, clock
):
    await staff.get("/till/")
    await staff.post("/till/codes", {"program": "coffee", "stamps": "2"})
    where = staff.path
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key="line:1",
        how="line",
        code=where.rsplit("/", 1)[1],
        person=person(1, "花子"),
    )
    await db.write(grant_stamps, ask, clock.now())
    path, form = undo_form(await staff.get(where))
    for page in (await staff.post(path, form), await staff.get(where)):
        assert "取り消しました" in page
        assert "花子さん" in page
        assert "0 <small>/ 10</small>" in page
        assert "付与しました" not in page


async def test_the_form_of_a_stamp_taken_back_does_not_claim_it_again(staff, view):
    old = await staff.get(f"/c/{view.card.code}")
    page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    path, form = undo_form(page)
    await staff.post(path, form)
    staff.page = old
    page = await staff.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    assert "付与しました" not in page
    assert "取り消しました" in page


async def test_a_clerk_does_not_take_back_what_another_gave(
    staff, view, db, shop, clock
):
    given = await stamp(db, shop, clock, view, 1, staff_id=shop.owner.id)
    await staff.get("/till/")
    path = f"/till/cards/{view.card.code}/undo"
    page = await staff.post(path, {"entry": given.entry_id})
    assert "取り消せません" in page
    assert "付与した本人が10分以内" in page
    assert await balance(db, shop, clock, view) == 1


async def test_after_ten_minutes_nobody_takes_it_back_at_the_till(
    client, staff, view, db, shop, clock
):
    path, form = undo_form(await give(staff, view))
    clock.move(minutes=10, seconds=1)
    assert "付与した本人が10分以内" in await staff.post(path, form)
    await staff.post("/till/signout", {})
    manager = Staff(client)
    await manager.sign_in("manager@aozora.jp")
    await manager.get("/till/")
    page = await manager.post(path, {"entry": form["entry"]})
    assert "レジでは取り消せません" in page
    assert await balance(db, shop, clock, view) == 1


async def test_a_code_of_yesterday_has_no_button(staff, db, shop, clock):
    await staff.get("/till/")
    await staff.post("/till/codes", {"program": "coffee", "stamps": "1"})
    where = staff.path
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key="line:1",
        how="line",
        code=where.rsplit("/", 1)[1],
        person=person(),
    )
    await db.write(grant_stamps, ask, clock.now())
    page = await staff.get(where)
    assert "/undo" in page
    home = re.search(r'data-home="([^"]+)"', page)[1].replace("&amp;", "&")
    assert f'href="{where}"' in await staff.get(home)
    clock.move(days=1)
    assert "/undo" not in await staff.get(where)


async def test_only_this_cards_grants_are_taken_back(staff, view, db, shop, clock):
    other = await a_card(db, shop, clock, "次郎")
    _, form = undo_form(await give(staff, other))
    path = f"/till/cards/{view.card.code}/undo"
    await staff.post(path, form, 404)
    for entry in ("", "x", "0" * 26, "\x00" * 26):
        await staff.post(path, {"entry": entry}, 404)
    await staff.post(path, form | {"csrf": "wrong"}, 403)
    assert await balance(db, shop, clock, other) == 1


async def test_the_undo_speaks_english(staff, view):
    await staff.get("/till/")
    await staff.post("/till/language", {"language": "en", "back": "/till/"})
    path, form = undo_form(await give(staff, view))
    assert ">Undo</button>" in staff.page
    assert "Undone" in await staff.post(path, form)


# --- a reward handed over -------------------------------------------------------------


@pytest.fixture
async def won(staff, view, db, shop, clock):
    """The path of the voucher on 太郎's full card."""
    await stamp(db, shop, clock, view, 10)
    page = await staff.get(f"/c/{view.card.code}")
    found = re.search(r'href="(/till/cards/\w+/vouchers/\w+)">特典を渡す', page)
    assert found, page
    return found[1]


async def state(db, shop, path):
    found = await db.read(load_voucher, shop.merchant.id, path.rsplit("/", 1)[1])
    return found.state


async def test_a_reward_is_asked_for_then_handed_over(staff, won, db, shop, view):
    page = await staff.get(won)
    assert "この特典を渡しますか" in page
    assert await state(db, shop, won) == "issued"
    page = await staff.post(f"{won}/redeem", {})
    assert "引き換えました" in page
    assert re.search(r"No\.\d{4}", page)
    assert await state(db, shop, won) == "redeemed"
    assert "特典を渡す" not in await staff.get(f"/c/{view.card.code}")
    for address in ("redeem", "back"):
        await staff.get(f"{won}/{address}")
        assert staff.path == f"/c/{view.card.code}"


async def test_a_double_tap_hands_one_reward_over(staff, won, db, shop, view):
    page = await staff.get(won)
    form = {name: field(page, name) for name in ("csrf", "key")}
    answers = await asyncio.gather(
        *(staff.client.post(f"{won}/redeem", data=form) for _ in range(2))
    )
    for answer in answers:
        assert "引き換えました" in await answer.text()
    assert (await kinds(db, shop, view)).count("redeem") == 1


async def test_a_used_reward_is_refused_on_another_till(staff, won, db, shop, view):
    old = await staff.get(won)
    await staff.post(f"{won}/redeem", {})
    staff.page = old
    page = await staff.post(f"{won}/redeem", {"key": "another"})
    assert "引き換えできません" in page
    assert "この特典は使用済みです" in page
    assert "引き換えました" not in page
    assert (await kinds(db, shop, view)).count("redeem") == 1


async def test_a_handed_reward_is_taken_back_once(staff, won, db, shop, view):
    old = await staff.get(won)
    page = await staff.post(f"{won}/redeem", {})
    form = {name: field(page, name) for name in ("csrf", "key")}
    answers = await asyncio.gather(
        *(staff.client.post(f"{won}/back", data=form) for _ in range(2))
    )
    for answer in answers:
        assert "特典はまた使えます" in await answer.text()
    assert await kinds(db, shop, view) == ["stamp", "redeem", "undo"]
    assert await state(db, shop, won) == "issued"
    # The first form again, from the browser's history: it is not handed over.
    staff.page = old
    page = await staff.post(f"{won}/redeem", {})
    assert "引き換えました" not in page
    assert "この特典を渡しますか" in page


async def test_a_reward_is_taken_back_for_ten_minutes_only(staff, won, db, shop, clock):
    await staff.get(won)
    page = await staff.post(f"{won}/redeem", {})
    clock.move(minutes=9, seconds=59)
    assert f"{won}/back" in await staff.get(won)
    clock.move(seconds=2)
    assert f"{won}/back" not in await staff.get(won)
    staff.page = page
    page = await staff.post(f"{won}/back", {})
    assert "取り消せません" in page
    assert "もう取り消せません" in page
    assert await state(db, shop, won) == "redeemed"


async def test_an_expired_reward_is_refused(staff, won, clock, db, shop, view):
    page = await staff.get(won)
    for _ in range(8):  # looked at now and then, the till stays signed in
        clock.move(days=13)
        await staff.get("/till/")
    staff.page = page
    answer = await staff.post(f"{won}/redeem", {})
    assert "この特典の有効期限は切れています" in answer
    assert await state(db, shop, won) != "redeemed"


async def test_a_foreign_voucher_does_not_exist_here(
    staff, won, view, db, shop, settings, clock
):
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    theirs = await a_card(db, other, clock, "次郎")
    foreign = (await stamp(db, other, clock, theirs, 10)).vouchers[0]
    neighbour = await a_card(db, shop, clock, "三郎")
    ours = won.rsplit("/", 1)[1]
    for code, voucher in (
        (theirs.card.code, foreign),
        (view.card.code, foreign),
        (neighbour.card.code, ours),
    ):
        path = f"/till/cards/{code}/vouchers/{voucher}"
        await staff.get(path, 404)
        await staff.post(f"{path}/redeem", {}, 404)
        await staff.post(f"{path}/back", {}, 404)
    assert await state(db, other, f"/{foreign}") == "issued"
    assert await state(db, shop, won) == "issued"
