"""カードを再発行 at the till, over real HTTP: the old code ends, the card goes on."""

from __future__ import annotations

import asyncio
import re
import secrets
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import find_cards, ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.link import link_customers, make_link_code
from core.actions.passes import hold_pass, load_pass
from core.rules.asking import StampAsk
from core.rules.types import Reward
from core.store.tables import held_pass, journal, old_code
from jobs.demo.pass_file import open_pass
from tests.builders import build_shop, coffee, person
from tests.passes.apple_chain import connect_apple
from tests.webhooks.rooms import Staff, field, serve_rooms
from tests.webhooks.test_till_queue import KEY, Till

HOUR = 3_600_000


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def till(client) -> Till:
    found = Till(client)
    await found.sign_in("clerk@aozora.jp")
    await found.get("/till/")
    return found


@pytest.fixture
async def view(db, shop, clock):
    """A card of three stamps."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        external_id="pos-1",
    )
    await stamp(db, shop, clock, card_id, 3)
    # One stamp a day is the rule here.
    clock.move(days=1)
    return await seen(db, shop, clock, card_id)


async def stamp(db, shop, clock, card_id, n=1):
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=secrets.token_hex(8),
        how="till",
        card_id=card_id,
        stamps=n,
    )
    return await db.write(grant_stamps, ask, clock.now())


async def seen(db, shop, clock, card_id):
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


async def reissue(till, code):
    """Answer the question; the new code."""
    await till.get(f"/till/cards/{code}/reissue")
    await till.post(f"/till/cards/{code}/reissue", {})
    return re.fullmatch(r"/till/cards/(\w+)/wallet", till.path)[1]


async def test_the_card_goes_on_under_a_new_code(db, clock, shop, till, view):
    page = await till.get(f"/c/{view.card.code}")
    assert "携帯をなくした・変えた" in page

    code = await reissue(till, view.card.code)

    assert "再発行しました" in till.page
    now = await seen(db, shop, clock, view.card.id)
    assert (now.card.code, now.card.balance) == (code, 3)
    assert code != view.card.code
    entries = await db.read(ledger, shop.merchant.id, view.card.id)
    assert [entry.stamps for entry in entries] == [3]
    await till.get(f"/c/{code}")
    await till.post(f"/till/cards/{code}/stamps", {"n": "1"})
    assert (await seen(db, shop, clock, view.card.id)).card.balance == 4
    noted = select(journal.c.action).where(journal.c.action == "card.reissued")
    assert len(await db.read(lambda tx: tx.execute(noted).all())) == 1


async def test_the_old_code_says_at_the_till_to_ask_for_the_new_one(
    db, clock, shop, till, view
):
    old = view.card.code
    await till.get(f"/c/{old}")
    before = till.page
    await reissue(till, old)

    said = "お客様に新しいカードを見せてもらってください"
    for path in (f"/c/{old}", f"/till/find?q={old}", f"/till/cards/{old}/wallet"):
        assert said in await till.get(path, 410), path
    url = f"https://stamps.example.jp/c/{old}"
    assert said in await till.get(f"/till/find?q={url}", 410)
    # A card's page that stood open meanwhile gives nothing either.
    till.page = before
    assert said in await till.post(f"/till/cards/{old}/stamps", {"n": "1"}, 410)
    assert (await seen(db, shop, clock, view.card.id)).card.balance == 3


async def test_whoever_scans_the_old_code_is_told_without_a_sign_in(
    client, till, view, settings, db, clock
):
    await reissue(till, view.card.code)
    async with serve_rooms(db, settings, clock) as stranger:
        answer = await stranger.get(f"/c/{view.card.code}")
        assert answer.status == 410
        assert "再発行されました" in await answer.text()


async def test_a_late_scan_counts_only_from_before_the_re_issue(
    db, clock, shop, till, view
):
    old = view.card.code
    await reissue(till, old)
    clock.move(minutes=10)

    told = await till.late(old, 400, age=5 * 60_000)
    assert "再発行される前" in told["words"]
    assert (await seen(db, shop, clock, view.card.id)).card.balance == 3

    told = await till.late(old, age=20 * 60_000, key=f"{KEY}-2")
    assert told["outcome"] == "granted"
    assert (await seen(db, shop, clock, view.card.id)).card.balance == 4


async def test_a_stamp_whose_answer_was_lost_is_answered_after_the_re_issue(
    db, clock, shop, till, view
):
    old = view.card.code
    await till.get(f"/c/{old}")
    await till.post(f"/till/cards/{old}/stamps", {"n": "1", "key": KEY})
    clock.move(minutes=1)
    await reissue(till, old)
    clock.move(minutes=1)

    told = await till.late(old, age=2 * 60_000)
    assert told["outcome"] == "granted"
    assert (await seen(db, shop, clock, view.card.id)).card.balance == 4


async def test_the_same_form_twice_at_once_is_one_re_issue(db, clock, till, view):
    path = f"/till/cards/{view.card.code}/reissue"
    await till.get(path)
    form = {name: field(till.page, name) for name in ("csrf", "key")}

    answers = await asyncio.gather(
        *(till.client.post(path, data=form) for _ in range(5))
    )

    assert {200} == {answer.status for answer in answers}
    assert len({answer.url.path for answer in answers}) == 1
    assert await old_codes(db) == [view.card.code]


async def test_two_tills_at_once_are_one_re_issue(db, clock, till, view):
    path = f"/till/cards/{view.card.code}/reissue"
    await till.get(path)
    csrf = field(till.page, "csrf")

    answers = await asyncio.gather(
        *(till.client.post(path, data={"csrf": csrf, "key": f"k{n}"}) for n in range(4))
    )

    found = sorted(answer.status for answer in answers)
    assert found == [200, 410, 410, 410]
    assert await old_codes(db) == [view.card.code]


async def test_another_merchants_card_is_nobodys(db, vault, clock, till):
    other = await build_shop(db, vault, clock.now(), key="other", api_key="sk_other_1")
    card_id = await db.write(
        open_card,
        merchant_id=other.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    theirs = await seen(db, other, clock, card_id)
    csrf = field(till.page, "csrf")
    path = f"/till/cards/{theirs.card.code}/reissue"
    await till.get(path, 404)
    answer = await till.client.post(path, data={"csrf": csrf, "key": "k"})
    assert answer.status == 404
    assert await old_codes(db) == []


async def test_only_staff_at_a_till_may(client, db, view):
    """Nor is there a way on the holder's page: a finder has that, too."""
    path = f"/till/cards/{view.card.code}/reissue"
    answer = await client.post(path, data={"key": "k"}, allow_redirects=False)
    assert answer.status in {303, 403}
    viewer = Staff(client)
    answer = await client.post(
        "/merchant/signin",
        data={"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"},
    )
    csrf = field(await answer.text(), "csrf")
    answer = await viewer.client.post(path, data={"csrf": csrf, "key": "k"})
    assert answer.status == 403
    assert await old_codes(db) == []


async def test_every_link_of_the_lost_phone_ends(
    db, vault, clock, shop, client, till, links, view
):
    await connect_apple(shop, vault, clock.now())
    by_code, by_id = (links.wallet(v) for v in (view.card.code, view.card.id))
    held = await db.write(
        hold_pass, shop.merchant.id, view.card.id, "apple", clock.now()
    )
    dead = [urlsplit(u).path for u in (by_code, by_id, links.holder(held.id))]
    for path in dead:
        assert (await client.get(path)).status == 200

    code = await reissue(till, view.card.code)

    for path in dead:
        for end in ("", "/next", ".pkpass", "/google", "/events"):
            answer = await client.get(path + end, allow_redirects=False)
            assert answer.status == 410, path + end
            assert "再発行されました" in await answer.text()
    fresh = urlsplit(links.wallet(code)).path
    new = open_pass(await (await client.get(f"{fresh}.pkpass")).read())
    assert new.serial != held.id
    assert new.info["barcodes"][0]["message"].endswith(code)
    again = open_pass(await (await client.get(f"{fresh}.pkpass")).read())
    assert again.serial == new.serial


async def test_a_pass_asked_for_before_is_not_the_new_one(
    db, clock, shop, till, view, client, links
):
    """The finder's request and the re-issue meet: the code that it knows is old."""
    await reissue(till, view.card.code)
    with pytest.raises(Exception, match="card"):
        await db.write(
            hold_pass,
            shop.merchant.id,
            view.card.id,
            "apple",
            clock.now(),
            code=view.card.code,
        )
    assert await db.read(lambda tx: tx.execute(select(held_pass.c.id)).all()) == []


async def test_the_form_of_the_poster_sent_again_leads_nowhere(client, till, db, clock):
    page = await (await client.get("/j/aozora/coffee")).text()
    form = {"token": field(page, "token"), "csrf": field(page, "csrf")}
    first = await client.post("/j/aozora/coffee", data=form)
    assert first.status == 200
    [row] = await db.read(
        lambda tx: tx.execute(select(old_code.metadata.tables["card"].c.code)).all()
    )
    await reissue(till, row.code)

    again = await client.post("/j/aozora/coffee", data=form)

    assert again.status == 410
    assert (await client.get(first.url.path)).status == 410


async def test_a_code_to_link_the_card_ends_with_it(db, clock, shop, till, view):
    made = await db.write(make_link_code, shop.merchant.id, view.card.id, clock.now())
    table = old_code.metadata.tables["link_code"]
    await reissue(till, view.card.code)
    [row] = await db.read(lambda tx: tx.execute(select(table)).all())
    assert (row.code, row.expires_at) == (made.code, clock.now())


async def test_all_cards_of_the_customer_are_re_issued_and_offered(
    db, clock, shop, till, view
):
    await db.write(
        apply_merchant,
        MerchantFile(
            merchant={"key": "aozora", "name": "あおぞら珈琲"},
            programs=(
                ("coffee", coffee()),
                ("bread", coffee(name="パン", rewards=(Reward(at=10, name="食パン"),))),
            ),
        ),
        {},
        clock.now(),
    )
    await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="bread",
        key="bread",
        now=clock.now(),
        external_id="pos-1",
    )
    number = view.customer.member_no
    both = await db.read(find_cards, shop.merchant.id, clock.now(), member_no=number)
    assert len(both) == 2

    await reissue(till, view.card.code)

    assert sorted(v.card.code for v in both) == await old_codes(db)
    assert "パン" in till.page


async def test_a_card_that_was_linked_loses_its_old_code_and_pass_too(
    db, clock, shop, till, view
):
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key="line",
        how="line",
        code=(await shop.till_code(clock.now())).code,
        person=person(),
    )
    granted = await db.write(grant_stamps, ask, clock.now())
    line = await seen(db, shop, clock, granted.card_id)
    now = clock.now()
    held = await db.write(hold_pass, shop.merchant.id, view.card.id, "google", now)
    await db.write(
        link_customers,
        merchant_id=shop.merchant.id,
        from_id=view.customer.id,
        to_id=line.customer.id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    # By the code of the pass that was saved before LINE.
    await reissue(till, view.card.code)

    assert await old_codes(db) == sorted([view.card.code, line.card.code])
    await till.get(f"/c/{view.card.code}", 410)
    old = await db.read(load_pass, held.id, clock.now())
    assert (old.face.is_replaced, old.held.replaced_at) == (True, clock.now())


async def test_a_replaced_pass_tells_nothing_of_the_card_that_goes_on(
    db, clock, shop, till, view
):
    now = clock.now()
    held = await db.write(hold_pass, shop.merchant.id, view.card.id, "google", now)
    clock.move(minutes=1)
    await reissue(till, view.card.code)
    await stamp(db, shop, clock, view.card.id)

    old = await db.read(load_pass, held.id, clock.now())

    assert old.held.changed_at == int(clock.now().timestamp())
    face = old.face
    assert (face.state, face.is_replaced, face.balance) == ("stopped", True, 0)
    assert (face.code, face.vouchers) == (view.card.code, ())


async def old_codes(db):
    rows = await db.read(
        lambda tx: tx.execute(select(old_code.c.code).order_by(old_code.c.code)).all()
    )
    return [row.code for row in rows]
