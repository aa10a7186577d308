"""Pausing, reopening, archiving and lengthening on the settings page, over HTTP."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass
from core.actions.publish import load_program
from core.rules.asking import Granted, StampAsk
from core.rules.types import Expiry
from core.store.tables import journal
from tests.builders import build_shop, coffee, person
from tests.webhooks.desk import at_desk

OWNER, MANAGER, VIEWER = (
    f"{role}@aozora.jp" for role in ("owner", "manager", "viewer")
)


@pytest.fixture
async def shop(db, vault, clock):
    """A shop whose cards are good for a year from their last stamp."""
    design = coffee(expires=Expiry(kind="after_last", months=12))
    return await build_shop(db, vault, clock.now(), design=design)


class Life:
    """The page of one card's life, and the people who hold that card."""

    def __init__(self, desk, db, shop, clock):
        self.desk, self.db, self.shop, self.clock = desk, db, shop, clock
        self.path = f"/merchant/cards/{shop.program.id}/life"

    async def open(self, query=""):
        return await self.desk.get(self.path + query)

    async def press(self, do, **fields):
        """A button of the present page."""
        state = re.search(r'name="state" value="(\w+)"', self.desk.page)
        form = {"csrf": self.desk.csrf, "do": do, "state": state[1] if state else ""}
        return await self.desk.send(self.path, form | fields)

    async def longer(self, until):
        form = {"csrf": self.desk.csrf, "until": until}
        return await self.desk.send(f"{self.path}/longer", form)

    async def state(self):
        where = (self.shop.merchant.id, self.shop.program.id)
        return (await self.db.read(load_program, *where)).state

    async def card(self, number=1, *, stamps=True):
        [card_id] = await self.db.write(
            follow,
            self.shop.merchant.id,
            person(number),
            f"f{number}",
            self.clock.now(),
        )
        if stamps:
            assert isinstance(await self.stamp(card_id, f"s{number}"), Granted)
        return card_id

    async def stamp(self, card_id, key):
        ask = StampAsk(
            merchant_id=self.shop.merchant.id, key=key, how="api", card_id=card_id
        )
        return await self.db.write(grant_stamps, ask, self.clock.now())

    async def face(self, card_id):
        where = (self.shop.merchant.id, card_id, self.clock.now())
        return (await self.db.read(load_card, *where)).face

    async def acts(self):
        rows = await self.db.read(lambda tx: tx.execute(select(journal)).all())
        kinds = ("program.", "expiry.")
        return [row.action for row in rows if row.action.startswith(kinds)]


@asynccontextmanager
async def life_page(db, settings, clock, shop, who=OWNER):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(who)
        life = Life(desk, db, shop, clock)
        await life.open()
        yield life


@pytest.fixture
async def life(db, settings, clock, shop):
    async with life_page(db, settings, clock, shop) as page:
        yield page


# --- paused, reopened, archived --------------------------------------------------


async def test_the_cards_page_leads_there(life):
    await life.desk.get(f"/merchant/cards/{life.shop.program.id}")
    assert f'href="{life.path}"' in life.desk.page
    await life.open()
    assert "受付中です" in life.desk.page
    assert "再開する" not in life.desk.page


async def test_a_paused_card_gives_no_stamps_until_it_is_reopened(life, clock):
    cards = [await life.card(n) for n in (1, 2)]
    await life.open()
    assert "カード2枚に「いまは受け付けを休んでいます」と表示し" in life.desk.page
    await life.press("pause")
    assert "休止しました" in life.desk.page
    assert await life.state() == "paused"
    assert (await life.face(cards[0])).state == "paused"
    clock.move(days=1)
    refused = await life.stamp(cards[0], "later")
    assert refused.why == "program_paused"

    await life.desk.sign_in(OWNER)
    await life.open()
    assert "カード2枚が、前のスタンプの続きから使える" in life.desk.page
    await life.press("reopen")
    assert "再開しました" in life.desk.page
    assert isinstance(await life.stamp(cards[0], "again"), Granted)
    assert (await life.face(cards[0])).balance == 2
    assert await life.acts() == ["program.paused", "program.reopened"]


async def test_an_archived_card_is_stopped_listed_apart_and_can_come_back(life):
    card = await life.card()
    await life.open()
    assert "カード1枚が「停止」と表示され" in life.desk.page
    await life.press("archive")
    assert "アーカイブしました" in life.desk.page
    face = await life.face(card)
    assert (face.state, face.balance) == ("stopped", 1)
    assert "休止する" not in life.desk.page

    await life.desk.get("/merchant/")
    assert f'href="/merchant/cards/{life.shop.program.id}"' not in life.desk.page
    assert "アーカイブしたカード 1件" in life.desk.page
    await life.desk.get("/merchant/archive")
    assert "コーヒーカード" in life.desk.page
    assert f'href="{life.path}"' in life.desk.page

    await life.open()
    await life.press("reopen")
    assert await life.state() == "active"
    assert (await life.face(card)).state == "active"
    await life.desk.get("/merchant/archive")
    assert "アーカイブしたカードはありません" in life.desk.page


async def test_wallets_are_behind_after_each_change(life, db, clock, vault):
    card = await life.card()
    held = await db.write(hold_pass, life.shop.merchant.id, card, "apple", clock.now())
    behind = await wanted(db, clock, held)
    for do in ("pause", "reopen", "archive"):
        await life.open()
        await life.press(do)
        assert await wanted(db, clock, held) == behind + 1, do
        behind += 1


async def wanted(db, clock, held):
    """How often news of this pass was announced."""
    clock.move(seconds=2)
    taken = await db.write(take_deliveries, 50, 1, clock.now())
    return next((d.wanted for d in taken if d.topic == f"pass:{held.id}"), 0)


async def test_pressed_twice_it_is_done_once_and_says_the_same(life):
    await life.open()
    form = {"csrf": life.desk.csrf, "do": "pause", "state": "active"}
    answers = await asyncio.gather(
        *(life.desk.client.post(life.path, data=form) for _ in range(3))
    )
    for answer in answers:
        assert answer.status == 200
        assert "休止しました" in await answer.text()
    assert (await life.acts()).count("program.paused") == 1


async def test_an_old_page_does_not_undo_what_another_did(life):
    await life.open()
    await life.press("archive")
    await life.press("pause", state="active")
    assert life.desk.status == 409
    assert "カードの状態が変わりました" in life.desk.page
    assert await life.state() == "archived"


@pytest.mark.parametrize("do", ["", "delete", "lengthen"])
async def test_there_are_no_other_buttons(life, do):
    await life.press(do)
    assert life.desk.status == 400
    assert await life.state() == "active"


# --- for longer ------------------------------------------------------------------


async def test_it_says_how_many_gain_before_and_does_it_in_one_go(life):
    cards = [await life.card(n) for n in (1, 2, 3)]
    before = [(await life.face(card)).expires_at for card in cards]
    await life.open("?until=2028-03-31&months=")
    assert "2028/3/31まで延びるカード: 3枚" in life.desk.page
    assert [(await life.face(card)).expires_at for card in cards] == before
    await life.longer("2028-03-31")
    assert "カード3枚の有効期限を延ばしました" in life.desk.page
    end = datetime(2028, 3, 31, 20, tzinfo=UTC)
    assert {(await life.face(card)).expires_at for card in cards} == {end}
    await life.open()
    await life.longer("2028-03-31")
    assert "延ばすカードはありませんでした" in life.desk.page
    await life.longer("2027-01-01")
    assert {(await life.face(card)).expires_at for card in cards} == {end}
    assert (await life.acts()).count("expiry.lengthened") == 3


async def test_months_count_from_today_to_the_months_end(life, clock):
    await life.card()
    clock.at = datetime(2027, 1, 31, 3, tzinfo=UTC)
    await life.desk.sign_in(OWNER)
    await life.open("?months=13")
    # The year after has its leap day.
    assert "2028/2/29まで延びるカード: 1枚" in life.desk.page
    assert 'name="until" value="2028-02-29"' in life.desk.page


async def test_cards_that_would_not_gain_are_not_counted(life):
    await life.card(1)
    await life.open("?until=2027-10-01")
    assert "2027/10/1より前に期限が来るカードはありません" in life.desk.page
    assert "/longer" not in life.desk.page


async def test_wallets_are_behind_after_lengthening(life, db, clock):
    card = await life.card()
    held = await db.write(hold_pass, life.shop.merchant.id, card, "google", clock.now())
    behind = await wanted(db, clock, held)
    await life.longer("2029-01-31")
    assert await wanted(db, clock, held) == behind + 1
    # Nothing changes the second time, so no phone is woken.
    await life.open()
    await life.longer("2029-01-31")
    assert await wanted(db, clock, held) == behind + 1


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("?until=&months=", "until", "どちらかを入力"),
        ("?until=2028-01-01&months=3", "until", "どちらか一方だけ"),
        ("?until=tomorrow&months=", "until", "日付を正しく"),
        ("?until=2026-11-22", "until", "10年以内の日付"),
        ("?until=9999-12-31", "until", "10年以内の日付"),
        ("?until=0001-01-01", "until", "10年以内の日付"),
        ("?months=0", "months", "1〜60か月"),
        ("?months=61", "months", "1〜60か月"),
        ("?months=abc", "months", "1〜60か月"),
    ],
)
async def test_a_day_that_cannot_be_is_said_beside_its_field(life, query, field, words):
    await life.card()
    await life.open(query)
    assert life.desk.status == 422
    problem = re.search(rf'id="p-{field}">([^<]+)<', life.desk.page)
    assert problem
    assert words in problem[1]
    await life.open()
    await life.longer("2026-11-22")
    assert life.desk.status == 422
    assert "expiry.lengthened" not in await life.acts()


# --- who may ---------------------------------------------------------------------


async def test_a_manager_may_and_a_viewer_sees_but_cannot(db, settings, clock, shop):
    async with life_page(db, settings, clock, shop, MANAGER) as life:
        await life.press("pause")
        assert await life.state() == "paused"
    async with life_page(db, settings, clock, shop, VIEWER) as life:
        assert "休止中です" in life.desk.page
        assert "閲覧のみの権限です" in life.desk.page
        assert 'name="do"' not in life.desk.page
        assert 'name="until"' not in life.desk.page
        await life.press("reopen", state="paused")
        assert life.desk.status == 403
        await life.longer("2028-01-01")
        assert life.desk.status == 403
        await life.open("?months=3")
        assert life.desk.status == 403
        await life.desk.get("/merchant/archive")
        assert life.desk.status == 200
        assert await life.state() == "paused"


async def test_a_clerk_sees_nothing_of_it(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in("clerk@aozora.jp")
        for path in (f"/merchant/cards/{shop.program.id}/life", "/merchant/archive"):
            await desk.get(path)
            assert desk.status == 403


async def test_another_merchants_card_is_not_there(db, settings, vault, clock, shop):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    async with life_page(db, settings, clock, shop) as life:
        life.path = f"/merchant/cards/{other.program.id}/life"
        csrf = life.desk.csrf
        await life.open()
        assert life.desk.status == 404
        await life.open("?months=3")
        assert life.desk.status == 404
        form = {"csrf": csrf, "do": "pause", "state": "active"}
        await life.desk.send(life.path, form)
        assert life.desk.status == 404
        form = {"csrf": csrf, "until": "2028-01-01"}
        await life.desk.send(f"{life.path}/longer", form)
        assert life.desk.status == 404
    where = (other.merchant.id, other.program.id)
    assert (await db.read(load_program, *where)).state == "active"


async def test_forms_without_the_token_of_the_session_do_nothing(life):
    await life.card()
    await life.press("pause", csrf="forged")
    assert life.desk.status == 403
    await life.desk.send(f"{life.path}/longer", {"until": "2028-01-01"})
    assert life.desk.status == 403
    assert await life.state() == "active"
    assert await life.acts() == []


async def test_the_page_speaks_english_too(life):
    await life.card()
    fields = {"csrf": life.desk.csrf, "language": "en", "next": life.path}
    await life.desk.send("/merchant/language", fields)
    for words in ("Open or closed, and expiry", "Pause it", "Archive it"):
        assert words in life.desk.page
    await life.open(f"?until={date(2028, 3, 31)}")
    assert "1 card becomes good until Mar 31, 2028" in life.desk.page
