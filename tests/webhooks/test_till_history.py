"""A card's history at the till: what may be taken back, and the paper card."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.cards import ledger, load_card
from core.actions.join import open_card
from core.actions.link import link_customers
from core.rules.types import Why
from core.wording import say
from tests.builders import build_shop
from tests.webhooks.rooms import Staff, serve_rooms
from tests.webhooks.test_till_undo import a_card, balance, give, kinds, stamp


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def clerk(client) -> Staff:
    found = Staff(client)
    await found.sign_in("clerk@aozora.jp")
    return found


@pytest.fixture
async def manager(client) -> Staff:
    found = Staff(client)
    await found.sign_in("manager@aozora.jp")
    return found


@pytest.fixture
async def view(db, shop, clock):
    return await a_card(db, shop, clock, "太郎")


def lines_of(page):
    """The history's lines, newest first, as text."""
    past = page.split('<section class="past">')[1].split("</section>")[0]
    items = re.findall(r"<li.*?</li>", past, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in items]


def forms_of(page):
    past = page.split('<section class="past">')[1].split("</section>")[0]
    return re.findall(r'<form.*?action="([^"]+)".*?</form>', past, re.DOTALL)


# --- what happened --------------------------------------------------------------------


async def test_the_last_ten_entries_are_told_newest_first(clerk, view, clock):
    for _ in range(11):
        await give(clerk, view)
        clock.move(days=1)
    lines = lines_of(await clerk.get(f"/c/{view.card.code}"))
    assert len(lines) == 10
    assert lines[0].startswith("12/3 15:00 スタンプ +1 計 1")
    assert lines[1].startswith("12/3 15:00 次のカードへ -10 計 0")
    assert lines[2].startswith("12/2 15:00 スタンプ +1 計 10")


async def test_a_line_says_when_what_and_where_it_led(clerk, view):
    await give(clerk, view, 3)
    [line] = lines_of(await clerk.get(f"/c/{view.card.code}"))
    assert line == "11/23 15:00 スタンプ +3 計 3 取り消す"


async def test_a_card_without_a_past_says_so(clerk, view):
    assert "まだ何もありません" in await clerk.get(f"/c/{view.card.code}")


# --- taking back ----------------------------------------------------------------------


async def test_a_clerk_takes_back_their_own_of_ten_minutes_with_one_tap(
    clerk, view, db, shop, clock
):
    await give(clerk, view)
    page = await clerk.get(f"/c/{view.card.code}")
    assert 'name="reason"' not in page
    [path] = forms_of(page)
    [entry] = re.findall(r'name="entry" value="(\w+)"', page)
    assert "取り消しました" in await clerk.post(path, {"entry": entry})
    assert await balance(db, shop, clock, view) == 0

    lines = lines_of(await clerk.get(f"/c/{view.card.code}"))
    assert lines[0] == "11/23 15:00 取り消し -1 計 0"
    assert lines[1] == "11/23 15:00 スタンプ 取り消しました +1 計 1"


async def test_a_clerk_has_no_button_for_what_is_old_or_anothers(
    clerk, view, db, shop, clock
):
    await stamp(db, shop, clock, view, 1, staff_id=shop.owner.id)
    assert forms_of(await clerk.get(f"/c/{view.card.code}")) == []
    clock.move(days=1)
    await give(clerk, view)
    assert len(forms_of(await clerk.get(f"/c/{view.card.code}"))) == 1
    clock.move(minutes=11)
    assert forms_of(await clerk.get(f"/c/{view.card.code}")) == []


async def test_a_manager_takes_back_anything_and_says_why(
    manager, view, db, shop, clock
):
    given = await stamp(db, shop, clock, view, 2, staff_id=shop.owner.id)
    clock.move(days=3)
    page = await manager.get(f"/c/{view.card.code}")
    [path] = forms_of(page)
    assert 'name="reason"' in page
    form = {"entry": given.entry_id}
    page = await manager.post(path, form | {"reason": ""})
    assert "理由を書いて取り消してください" in page
    await manager.get(f"/c/{view.card.code}")
    page = await manager.post(path, form | {"reason": "長" * 201})
    assert "200文字以内で入力してください。" in page
    assert await balance(db, shop, clock, view) == 2

    await manager.get(f"/c/{view.card.code}")
    page = await manager.post(path, form | {"reason": "打ちまちがい"})
    assert "取り消しました" in page
    newest, _ = await db.read(ledger, shop.merchant.id, view.card.id)
    assert (newest.kind, newest.reason) == ("undo", "打ちまちがい")
    assert "打ちまちがい" in lines_of(await manager.get(f"/c/{view.card.code}"))[0]


async def test_a_reason_does_not_let_a_clerk_take_back_more(
    clerk, view, db, shop, clock
):
    given = await stamp(db, shop, clock, view, 1, staff_id=shop.owner.id)
    await clerk.get("/till/")
    form = {"entry": given.entry_id, "reason": "店長に言われた"}
    page = await clerk.post(f"/till/cards/{view.card.code}/undo", form)
    assert "取り消せません" in page
    assert await balance(db, shop, clock, view) == 1


async def test_a_reward_that_was_handed_over_is_taken_back_for_ten_minutes(
    clerk, view, clock
):
    page = await give(clerk, view, 10)
    page = await clerk.get(f"/c/{view.card.code}")
    [path] = re.findall(r'href="(/till/cards/\w+/vouchers/\w+)"', page)
    await clerk.get(path)
    await clerk.post(f"{path}/redeem", {})
    page = await clerk.get(f"/c/{view.card.code}")
    assert "特典の利用 コーヒー1杯" in lines_of(page)[0]
    assert forms_of(page)[0] == f"{path}/back"
    assert "特典はまた使えます" in await clerk.post(f"{path}/back", {})
    page = await clerk.get(f"/c/{view.card.code}")
    assert f"{path}/back" not in forms_of(page)

    await clerk.get(path)
    await clerk.post(f"{path}/redeem", {})
    clock.move(minutes=11)
    assert forms_of(await clerk.get(f"/c/{view.card.code}")) == []


# --- the paper card -------------------------------------------------------------------


async def test_a_paper_card_is_moved_once_and_the_form_is_gone(
    clerk, view, db, shop, clock
):
    page = await clerk.get(f"/c/{view.card.code}")
    assert "紙のカードから移す" in page
    path = f"/till/cards/{view.card.code}/paper"
    page = await clerk.post(path, {"n": "7"})
    assert "付与しました" in page
    assert "＋7" in page
    assert "<b>7</b> / 10" in page
    page = await clerk.get(f"/c/{view.card.code}")
    assert "紙のカードから移す" not in page
    assert lines_of(page) == ["11/23 15:00 紙のカードから +7 計 7"]

    page = await clerk.post(path, {"n": "7"})
    assert say(f"why.{Why.already_migrated}", "ja") in page
    assert await balance(db, shop, clock, view) == 7


async def test_a_double_tap_moves_one_paper_card(clerk, view, db, shop, clock):
    page = await clerk.get(f"/c/{view.card.code}")
    form = {"n": "4"} | {
        name: re.search(rf'name="{name}" value="([^"]+)"', page)[1]
        for name in ("csrf", "key")
    }
    path = f"/till/cards/{view.card.code}/paper"
    answers = await asyncio.gather(
        *(clerk.client.post(path, data=form) for _ in range(2))
    )
    for answer in answers:
        assert "付与しました" in await answer.text()
    assert await balance(db, shop, clock, view) == 4


async def test_a_paper_card_may_fill_the_card(clerk, view, db, shop, clock):
    await clerk.get(f"/c/{view.card.code}")
    page = await clerk.post(f"/till/cards/{view.card.code}/paper", {"n": "12"})
    assert "カードがいっぱいになりました" in page
    assert "コーヒー1杯" in page


async def test_who_moved_one_as_somebody_linked_to_them_sees_no_form(
    clerk, view, db, shop, clock
):
    await clerk.get(f"/c/{view.card.code}")
    await clerk.post(f"/till/cards/{view.card.code}/paper", {"n": "2"})
    other = await a_card(db, shop, clock, "太郎のスマホ")
    await db.write(
        link_customers,
        merchant_id=shop.merchant.id,
        to_id=other.customer.id,
        from_id=view.customer.id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    assert "紙のカードから移す" not in await clerk.get(f"/c/{other.card.code}")


async def test_a_paper_card_has_a_number_of_stamps(clerk, view, db, shop, clock):
    await clerk.get(f"/c/{view.card.code}")
    path = f"/till/cards/{view.card.code}/paper"
    for n in ("0", "51", "x", ""):
        await clerk.post(path, {"n": n}, 400)
    await clerk.post(path, {"n": "3", "csrf": "wrong"}, 403)
    await clerk.get(path)
    assert clerk.path == f"/c/{view.card.code}"
    assert await kinds(db, shop, view) == []


async def test_a_viewer_moves_none_and_takes_none_back(client, view, db, shop, clock):
    given = await stamp(db, shop, clock, view, 1, staff_id=shop.owner.id)
    viewer = Staff(client)
    form = {"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await client.post("/till/signin", data=form)
    page = await viewer.get(f"/c/{view.card.code}")
    assert "紙のカードから" not in page
    assert 'class="past"' not in page
    session = {"csrf": "", "n": "3", "entry": given.entry_id}
    for what in ("paper", "undo"):
        await viewer.post(f"/till/cards/{view.card.code}/{what}", session, 403)
    assert await balance(db, shop, clock, view) == 1


async def test_another_merchants_paper_does_not_exist_here(clerk, db, vault, clock):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    card_id = await db.write(
        open_card,
        merchant_id=other.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    theirs = await db.read(load_card, other.merchant.id, card_id, clock.now())
    await clerk.get("/till/")
    await clerk.post(f"/till/cards/{theirs.card.code}/paper", {"n": "3"}, 404)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", ["stamp", "bonus", "rollover", "undo", "expiry"])
def test_every_line_has_its_words(name, language):
    assert say(f"entry.{name}", language)
