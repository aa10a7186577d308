"""Taking cards apart again on the card's page and at the till, over real HTTP."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from core.store.tables import journal, ledger_entry
from tests.actions.test_link import TEN, Two
from tests.builders import build_shop
from tests.webhooks.rooms import Staff, field, serve_rooms

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
async def two(db, vault, clock):
    """A wallet's card of 3 stamps, and 4 in LINE; both pages are known to the test."""
    return Two(db, await build_shop(db, vault, clock.now(), design=TEN), clock)


@pytest.fixture
async def client(db, settings, clock, two):
    async with serve_rooms(db, settings, clock) as found:
        yield found


async def put_together(two, theirs, yours_stamps=4):
    """Link the card with the LINE person's; the linking's id and their card."""
    yours = await two.line(yours_stamps)
    return (await two.linked(theirs)).link_id, yours


@pytest.fixture
def page(links, two):
    """The path of a card's own page."""

    async def find(card_id):
        code = (await two.very(card_id)).code
        return links.wallet(code).removeprefix(links.public_url)

    return find


async def read(client, path, status=200, **how):
    answer = await client.get(path, **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


async def send(client, path, form, status=200):
    answer = await client.post(path, data=form)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


def form_of(text):
    return {name: field(text, name) for name in ("csrf", "key", "link")}


async def balances(two, *cards):
    return [(await two.face(each)).balance for each in cards]


async def test_a_linked_cards_page_says_until_when_and_leads_back(client, page, two):
    theirs = await two.wallet(3)
    assert "元に戻" not in await read(client, await page(theirs))
    link_id, yours = await put_together(two, theirs)

    for card_id in (theirs, yours):
        path = await page(card_id)
        text = await read(client, path)
        # The clock of the tests stands at 15:00 on 23 November in Tokyo.
        assert "LINEのカードとまとめました(11/23 15:00)" in text
        assert "11/30 15:00まで元に戻せます" in text
        assert f"{path}/unlink?link={link_id}" in text
        english = await read(client, path, headers=ENGLISH)
        assert "This can be undone until Nov 30, 15:00" in english

    ahead = await read(client, f"{await page(theirs)}/unlink?link={link_id}")
    for words in ("7個 → 4個", "3個に戻る", "LINEのカード"):
        assert words in ahead
    # To look does nothing.
    assert await balances(two, theirs, yours) == [7, 7]


@pytest.mark.parametrize("which", ["theirs", "yours"])
async def test_one_press_takes_them_apart_from_either_page(client, page, two, which):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    path = await page({"theirs": theirs, "yours": yours}[which])
    ahead = await read(client, f"{path}/unlink?link={link_id}")

    text = await send(client, f"{path}/unlink", form_of(ahead))

    assert "カードを元に戻しました" in text
    assert f"<b>{3 if which == 'theirs' else 4}</b>" in text
    assert "まで元に戻せます" not in text
    assert await balances(two, theirs, yours) == [3, 4]
    await two.sound()


async def test_a_double_tap_and_another_window_do_it_once(client, page, two, db):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    path = await page(theirs)
    first = form_of(await read(client, f"{path}/unlink?link={link_id}"))
    second = form_of(await read(client, f"{path}/unlink?link={link_id}"))
    assert first["key"] != second["key"]

    forms = [first, first, second]
    answers = await asyncio.gather(
        *(client.post(f"{path}/unlink", data=form) for form in forms)
    )
    again = await client.post(f"{path}/unlink", data=first)

    for answer in (*answers, again):
        assert answer.status == 200
        assert "カードを元に戻しました" in await answer.text()
    assert await balances(two, theirs, yours) == [3, 4]
    found = select(journal.c.id).where(journal.c.action == "card.unlinked")
    assert len(await db.read(lambda tx: tx.execute(found).all())) == 1


async def test_a_form_that_lost_its_key_does_it_all_the_same(client, page, two):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    await send(client, f"{await page(theirs)}/unlink", {"link": link_id})
    assert await balances(two, theirs, yours) == [3, 4]


async def test_a_used_reward_of_the_sum_is_said_before_anything_is_asked(
    client, page, two
):
    theirs = await two.wallet(8)
    link_id, yours = await put_together(two, theirs)
    path = await page(theirs)
    ahead = await read(client, f"{path}/unlink?link={link_id}")
    assert "なくなる特典: コーヒー1杯(2枚の合計でもらえた特典のため)" in ahead
    assert "もう1枚のカードに戻る特典: クッキー" in ahead
    coffee = next(
        v for v in (await two.face(yours)).vouchers if v.name == "コーヒー1杯"
    )
    await two.redeem(coffee.id)

    # The page that stood open, and one that is opened now.
    late = await send(client, f"{path}/unlink", form_of(ahead), 409)
    now = await read(client, f"{path}/unlink?link={link_id}")

    for text in (late, now):
        assert "元に戻せません" in text
        assert "もう使われています" in text
        assert "<form" not in text
    english = await read(client, f"{path}/unlink?link={link_id}", headers=ENGLISH)
    assert "has been used" in english
    assert await balances(two, yours) == [2]


async def test_after_seven_days_the_page_says_nothing(client, page, two, clock):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    path = await page(yours)
    form = form_of(await read(client, f"{path}/unlink?link={link_id}"))
    clock.move(days=7)
    assert "まで元に戻せます" in await read(client, path)
    clock.move(seconds=1)

    assert "元に戻" not in await read(client, path)
    gone = await read(client, f"{path}/unlink?link={link_id}", 404)
    assert "元に戻せる連携はありません" in gone
    await send(client, f"{path}/unlink", form, 409)
    assert await balances(two, yours) == [7]


async def test_nobody_elses_page_takes_it_apart(
    client, page, two, db, vault, clock, links
):
    theirs, other = await two.wallet(3), await two.wallet(1)
    link_id, yours = await put_together(two, theirs)
    there = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    elsewhere = Two(db, there, clock)
    foreign = await elsewhere.wallet(1)
    codes = [(await two.very(other)).code, (await elsewhere.very(foreign)).code]
    for code in codes:
        path = links.wallet(code).removeprefix(links.public_url)
        await read(client, f"{path}/unlink?link={link_id}", 404)
        await send(client, f"{path}/unlink", {"link": link_id}, 404)
    path = await page(theirs)
    for bad in ("", "nothing", "x" * 300):
        await read(client, f"{path}/unlink?link={bad}", 404)
    # A form on another site is refused, whatever it knows.
    answer = await client.post(
        f"{path}/unlink",
        data={"link": link_id},
        headers={"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status == 403
    assert await balances(two, yours) == [7]


async def test_a_card_put_together_twice_says_which_goes_first(client, page, two):
    first, second = await two.wallet(1), await two.wallet(2)
    ids = [await two.customer_of(each) for each in (first, second)]
    early = await two.link_at_counter(*ids)
    text = await read(client, await page(first))
    assert "もう1枚のカードとまとめました" in text
    late, yours = await put_together(two, second)

    path = await page(first)
    text = await read(client, path)
    assert f"link={late}" in text
    assert f"link={early.link_id}" not in text
    await send(client, f"{path}/unlink", {"link": late})
    assert f"link={early.link_id}" in await read(client, path)
    await send(client, f"{path}/unlink", {"link": early.link_id})
    assert await balances(two, first, second, yours) == [1, 2, 4]


# --- at the till ------------------------------------------------------------------


@pytest.fixture
async def staff(client):
    async def sign_in(role):
        found = Staff(client)
        await found.sign_in(f"{role}@aozora.jp")
        return found

    return sign_in


async def test_a_manager_takes_them_apart_with_a_reason(staff, two, db):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    code = (await two.very(yours)).code
    manager = await staff("manager")
    text = await manager.get(f"/c/{code}")
    assert "まで元に戻せます" in text
    ahead = await manager.get(f"/till/cards/{code}/unlink?link={link_id}")
    assert "7個 → 4個" in ahead
    path = f"/till/cards/{code}/unlink"

    nothing = await manager.post(path, {"link": link_id, "reason": " "}, 422)
    assert "理由を書いてください" in nothing
    long = await manager.post(path, {"link": link_id, "reason": "あ" * 201}, 422)
    assert 'role="alert"' in long
    assert await balances(two, theirs, yours) == [7, 7]
    form = {"link": link_id, "reason": "別の方のカードでした"}
    done = await manager.post(path, form)

    assert "カードを元に戻しました" in done
    assert await balances(two, theirs, yours) == [3, 4]
    noted = select(journal.c.actor, journal.c.detail).where(
        journal.c.action == "card.unlinked"
    )
    [row] = await db.read(lambda tx: tx.execute(noted).all())
    assert row.actor.startswith("staff:")
    assert row.detail["reason"] == "別の方のカードでした"
    reasons = select(ledger_entry.c.reason).where(ledger_entry.c.kind == "undo")
    found = {r.reason for r in await db.read(lambda tx: tx.execute(reasons).all())}
    assert "別の方のカードでした" in found
    # The same form again, from a page that stood open.
    manager.page = ahead
    await manager.post(path, form)
    assert await balances(two, theirs, yours) == [3, 4]


async def test_a_clerk_sees_it_and_may_not(staff, two):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    code = (await two.very(yours)).code
    clerk = await staff("clerk")
    text = await clerk.get(f"/c/{code}")
    assert "まで元に戻せます" in text
    assert "/unlink" not in text
    said = await clerk.get(f"/till/cards/{code}/unlink?link={link_id}")
    assert "店長・管理者だけ" in said
    assert 'name="reason"' not in said
    form = {"link": link_id, "reason": "x"}
    await clerk.post(f"/till/cards/{code}/unlink", form, 403)
    assert await balances(two, yours) == [7]


async def test_a_till_of_another_merchant_finds_nothing(
    staff, two, db, vault, clock, client
):
    theirs = await two.wallet(3)
    link_id, yours = await put_together(two, theirs)
    there = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    other = Two(db, there, clock)
    mine = await other.wallet(1)
    stranger = Staff(client)
    await stranger.sign_in("owner@yamato.jp")
    ours, code = (await two.very(yours)).code, (await other.very(mine)).code
    for card in (ours, code):
        path = f"/till/cards/{card}/unlink"
        await stranger.get(f"{path}?link={link_id}", 404)
        await stranger.get(f"/c/{code}")
        await stranger.post(path, {"link": link_id, "reason": "x"}, 404)
    assert await balances(two, yours) == [7]
