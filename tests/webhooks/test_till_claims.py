"""Claims of missing stamps at the till: who sees what, and who decides."""

from __future__ import annotations

import re

import pytest

from core.actions.cards import load_card
from core.actions.claims import list_claims, make_claim
from core.actions.grant import grant_stamps
from core.rules.asking import StampAsk
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
async def manager(client) -> Staff:
    found = Staff(client)
    await found.sign_in("manager@aozora.jp")
    return found


class Claimant:
    """花子, who has one stamp and misses another."""

    def __init__(self, db, shop, clock):
        self.db, self.shop, self.clock = db, shop, clock

    async def send(self, code, name="花子"):
        ask = StampAsk(
            merchant_id=self.shop.merchant.id,
            key=f"line:{code}",
            how="line",
            code=code,
            person=person(1, name),
        )
        return await self.db.write(grant_stamps, ask, self.clock.now())

    async def claim(self, text="昨日の分がありません", name="花子"):
        code = (await self.shop.till_code(self.clock.now())).code
        self.card_id = (await self.send(code, name)).card_id
        await self.send("WR0NGC0D", name)
        made = await self.db.write(
            make_claim,
            merchant_id=self.shop.merchant.id,
            key="claim",
            now=self.clock.now(),
            person=person(1),
            text=text,
        )
        self.path = f"/till/claims/{made.claim_id}"
        return self

    async def balance(self):
        where = (self.shop.merchant.id, self.card_id, self.clock.now())
        return (await self.db.read(load_card, *where)).card.balance

    async def one(self, state):
        [found] = await self.db.read(list_claims, self.shop.merchant.id, state)
        return found.claim


@pytest.fixture
async def hanako(db, shop, clock) -> Claimant:
    return await Claimant(db, shop, clock).claim()


async def test_the_till_says_that_claims_wait_and_leads_to_them(
    manager, client, db, shop, clock
):
    assert "お申し出" not in await manager.get("/till/")
    async with client.get("/till/asked/events") as answer:
        events = Events(answer)
        assert "お申し出" not in await events.next()
        await Claimant(db, shop, clock).claim()
        assert "お申し出 1件" in await events.next()
    assert 'href="/till/claims"' in await manager.get("/till/")


async def test_a_claim_is_read_with_what_the_customer_tried(manager, hanako):
    page = await manager.get("/till/claims")
    for words in ("花子さん", "コーヒーカード", "「昨日の分がありません」"):
        assert words in page
    assert re.search(r"11/23 15:00</time> 知らないコード <small>WR0NGC0D", page)


async def test_one_tap_gives_the_stamp_and_one_takes_it_back(manager, hanako):
    await manager.get("/till/claims")
    page = await manager.post(f"{hanako.path}/approve", {"n": "1"})
    assert "付与しました ＋1" in page
    assert "お申し出はありません" in page
    assert await hanako.balance() == 2
    assert (await hanako.one("approved")).entry_id is not None
    [path] = re.findall(r'action="(/till/cards/\w+/undo)"', page)
    [entry] = re.findall(r'name="entry" value="(\w+)"', page)
    await manager.post(path, {"entry": entry})
    assert await hanako.balance() == 1


async def test_the_same_form_twice_gives_once(manager, hanako):
    old = await manager.get("/till/claims")
    for _ in range(2):
        manager.page = old
        page = await manager.post(f"{hanako.path}/approve", {"n": "3"})
        assert "付与しました ＋3" in page
    assert await hanako.balance() == 4


async def test_a_claim_that_is_decided_is_not_decided_again(manager, hanako):
    old = await manager.get("/till/claims")
    await manager.post(f"{hanako.path}/reject", {"answer": "レシートをお持ちください"})
    manager.page = old
    page = await manager.post(f"{hanako.path}/approve", {"n": "1", "key": "another"})
    assert "このお申し出は、もう決まっています。" in page
    assert await hanako.balance() == 1


async def test_a_claim_is_refused_with_words_only(manager, hanako):
    await manager.get("/till/claims")
    page = await manager.post(f"{hanako.path}/reject", {"answer": " "})
    assert "入力してください。" in page
    page = await manager.post(f"{hanako.path}/reject", {"answer": "長" * 201})
    assert "200文字以内で入力してください。" in page
    page = await manager.post(f"{hanako.path}/reject", {"answer": "本日は休業でした"})
    assert "断りました" in page
    assert (await hanako.one("rejected")).answer == "本日は休業でした"
    assert await hanako.balance() == 1


async def test_a_clerk_reads_claims_and_asks_the_manager(client, hanako):
    clerk = Staff(client)
    await clerk.sign_in("clerk@aozora.jp")
    page = await clerk.get("/till/claims")
    assert "昨日の分がありません" in page
    assert "店長・管理者にお願いしてください" in page
    assert f'action="{hanako.path}' not in page
    for what, form in (("approve", {"n": "1"}), ("reject", {"answer": "いいえ"})):
        page = await clerk.post(f"{hanako.path}/{what}", form)
        assert "店長・管理者にお願いしてください" in page
    assert await hanako.balance() == 1
    assert (await hanako.one("open")).answer == ""


async def test_a_viewer_sees_no_claims(client, hanako):
    form = {"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await client.post("/till/signin", data=form)
    assert (await client.get("/till/claims")).status == 403


async def test_a_claim_cannot_be_asked_for_nonsense(manager, hanako):
    await manager.get("/till/claims")
    for n in ("0", "51", "x", ""):
        await manager.post(f"{hanako.path}/approve", {"n": n}, 400)
    await manager.post(f"{hanako.path}/approve", {"n": "1", "csrf": "wrong"}, 403)
    assert await hanako.balance() == 1


async def test_what_a_customer_wrote_is_text_and_no_page(manager, db, shop, clock):
    await Claimant(db, shop, clock).claim("<b>x</b>", name="<i>花</i>")
    page = await manager.get("/till/claims")
    assert "<b>x" not in page
    assert "<i>" not in page


async def test_another_merchants_claim_does_not_exist_here(
    manager, db, settings, clock
):
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    theirs = await Claimant(db, other, clock).claim("よその店です")
    assert "よその店です" not in await manager.get("/till/claims")
    await manager.post(f"{theirs.path}/approve", {"n": "1"}, 404)
    await manager.post(f"{theirs.path}/reject", {"answer": "いいえ"}, 404)
    assert await theirs.balance() == 1


async def test_the_answers_address_leads_back_to_the_claims(manager, hanako):
    await manager.get(f"{hanako.path}/approve")
    assert manager.path == "/till/claims"


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_reason_is_told_in_a_few_words(why, language):
    assert say(f"tried.{why}", language)
