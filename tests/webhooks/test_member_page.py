"""The 会員証 page, its code that changes each minute, and the till that reads it."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import find_cards, load_card
from core.actions.erase import erase_customer
from core.actions.grant import grant_stamps
from core.actions.join import follow, open_card
from core.actions.link import link_customers
from core.actions.scanning import member_key
from core.actions.undo import undo_grant
from core.rules.asking import StampAsk
from core.rules.member_codes import member_code
from tests.builders import build_shop, coffee, person
from tests.webhooks.rooms import Staff, serve_rooms
from tests.webhooks.test_till import Events

HOST = "https://stamps.example.jp"
ENGLISH = {"Accept-Language": "en"}
OLD = "このコードはもう使えません"


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def staff(db, settings, clock, shop):
    """A clerk at the till, in a browser of their own."""
    async with serve_rooms(db, settings, clock) as found:
        clerk = Staff(found)
        await clerk.sign_in("clerk@aozora.jp")
        yield clerk


@pytest.fixture
async def view(db, shop, clock):
    """花子 of LINE, and her card."""
    return await join(db, shop, clock)


async def join(db, shop, clock, number=1, name="花子"):
    who = person(number, name)
    await db.write(follow, shop.merchant.id, who, f"follow:{number}", clock.now())
    found = await db.read(
        find_cards, shop.merchant.id, clock.now(), line_user_id=who.user_id
    )
    return found[0]


async def give(db, view, clock, n=1, key="s"):
    ask = StampAsk(
        merchant_id=view.card.merchant_id,
        key=key,
        how="till",
        card_id=view.card.id,
        stamps=n,
    )
    return await db.write(grant_stamps, ask, clock.now())


@pytest.fixture
def page(links, view):
    return links.member(view.card.id).removeprefix(HOST)


@pytest.fixture
def code(vault, view, clock):
    """What the page shows now."""
    return lambda: member_code(view.customer, member_key(vault), clock.now())


async def read(client, path, status=200, **how):
    answer = await client.get(path, **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


def qr_of(html):
    return re.search(r'class="qr".*?</svg>', html, re.DOTALL)[0]


async def find(staff, text, status=200):
    """Where the till is led to by what it reads."""
    answer = await staff.client.get("/till/find", params={"q": text})
    html = await answer.text()
    assert answer.status == status, (answer.status, html)
    return answer.url.path, html


# --- the page -------------------------------------------------------------------------


async def test_it_shows_the_code_the_number_the_shop_and_the_cards(
    client, db, clock, page, view
):
    await give(db, view, clock, 3)
    html = await read(client, page)
    for words in ("あおぞら珈琲", "会員証", view.customer.member_no, "コーヒーカード"):
        assert words in html
    assert "<b>3 / 10</b>" in html
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in html
    assert "Member no." in await read(client, page, headers=ENGLISH)
    # Nothing that outlives the minute: no card's own code, and no name.
    for private in (view.card.code, view.customer.id, "花子"):
        assert private not in html


async def test_the_qr_code_carries_what_staff_scan(
    client, clock, page, code, view, settings
):
    import zxingcpp
    from PIL import Image

    clock.move(seconds=25)
    html = await read(client, page)
    svg = qr_of(html)
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    image = Image.new("L", (side, side), 255)
    for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        for dx in range(int(n)):
            image.putpixel((int(x) + dx, int(y)), 0)
    large = image.resize((side * 6, side * 6), Image.Resampling.NEAREST)
    (found,) = zxingcpp.read_barcodes(large)
    assert found.text == f"{HOST}/c/{code()}"
    assert 'value="35"' in html


async def test_the_code_changes_with_the_minute_by_itself(client, clock, page):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        first = await events.next()
        clock.move(seconds=59)
        clock.move(seconds=2)
        second = await events.next()
        assert qr_of(first) != qr_of(second)
        assert 'data-good="62.0"' in second
        assert 'value="59"' in second


async def test_a_stamp_is_seen_with_the_new_count_and_goes_again(
    client, db, clock, page, view
):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        assert "data-given" not in await events.next()
        granted = await give(db, view, clock, 2)
        html = await events.next()
        assert "スタンプ+2" in html
        assert "コーヒーカード 2 / 10" in html
        # Taken back: the count as it is, and no news of what is gone.
        await db.write(
            undo_grant,
            merchant_id=view.card.merchant_id,
            entry_id=granted.entry_id,
            by=None,
            key="u",
            reason="",
            now=clock.now(),
        )
        html = await events.next()
        assert "data-given" not in html
        assert "0 / 10" in html
        await give(db, view, clock, 1, "again")
        assert "スタンプ+1" in await events.next()
    clock.move(seconds=91)
    html = await read(client, page)
    assert "data-given" not in html
    assert "<b>1 / 10</b>" in html


async def test_a_full_card_tells_of_its_reward(client, db, clock, page, view):
    await give(db, view, clock, 10)
    html = await read(client, page)
    assert "スタンプ+10" in html
    assert "使える特典 1枚" in html


async def test_it_runs_out_after_ten_minutes_with_the_way_back_into_the_chat(
    client, clock, page
):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        await events.next()
        clock.move(minutes=10, seconds=1)
        html = await events.next()
        assert "会員証の時間が切れました" in html
        assert "<svg" not in html
    for path in (page, f"{page}/events"):
        html = await read(client, path, 410)
        link = urlsplit(re.search(r'href="(https://line.me/[^"]+)"', html)[1])
        assert link.path == "/R/oaMessage/%40aozora/"
        assert unquote(link.query) == "会員証"
        assert "<svg" not in html
    assert "member" in await read(client, page, 410, headers=ENGLISH)


async def test_who_has_no_line_is_not_sent_there(client, db, shop, links, clock):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    path = links.member(card_id).removeprefix(HOST)
    await read(client, path)
    clock.move(minutes=11)
    assert "line.me" not in await read(client, path, 410)


async def test_a_link_that_is_not_ours_shows_nothing(client, links, page, view):
    other = links.sign("wallet", view.card.id)
    nobody = links.sign("member", "01M83FTSR0MVJKRSEJ5KAFGCE1")
    for path in (page[:-3], f"/m/{other}", f"/m/{nobody}", "/m/x"):
        assert "開けません" in await read(client, path, 404)
        await read(client, f"{path}/events", 404)


async def test_who_left_has_no_member_card(client, db, clock, page, view):
    await db.write(
        erase_customer,
        merchant_id=view.card.merchant_id,
        customer_id=view.customer.id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    await read(client, page, 404)


# --- at the till ----------------------------------------------------------------------


async def test_one_card_is_opened_at_once_whatever_reads_the_code(staff, view, code):
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in code())
    for text in (
        code(),
        f"{HOST}/c/{code()}",
        code().lower(),
        f"  {code()} ",
        wide,
    ):
        path, html = await find(staff, text)
        assert path == f"/c/{view.card.code}"
        assert "花子さん" in html
    # A phone's own camera opens the address itself.
    answer = await staff.client.get(f"/c/{code()}")
    assert (answer.status, answer.url.path) == (200, f"/c/{view.card.code}")


async def test_of_several_cards_staff_choose(staff, db, vault, shop, clock):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲"},
        programs=(("tea", coffee(name="紅茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    taro = await join(db, shop, clock, 2, "太郎")
    code = member_code(taro.customer, member_key(vault), clock.now())
    path, html = await find(staff, code)
    assert path == "/till/find"
    assert "カードを選んでください" in html
    assert "コーヒーカード" in html
    assert "紅茶カード" in html


async def test_the_code_before_is_good_and_an_older_one_is_kindly_refused(
    staff, clock, view, code
):
    shown = code()
    clock.move(seconds=119)
    path, _ = await find(staff, shown)
    assert path == f"/c/{view.card.code}"
    clock.move(seconds=1)
    for text in (shown, f"{HOST}/c/{shown}"):
        path, html = await find(staff, text, 410)
        assert path == "/till/find"
        assert OLD in html
        assert "いま出ているコード" in html
        assert "花子" not in html
    answer = await staff.client.get(f"/c/{shown}")
    assert answer.status == 410
    clock.move(days=3)
    assert OLD in (await find(staff, shown, 410))[1]


async def test_a_made_up_code_opens_nothing(staff, view, code):
    digits = view.customer.member_no.replace("-", "")
    made_up = f"M{digits}0000000"
    assert made_up != code()
    assert OLD in (await find(staff, made_up, 410))[1]
    _, html = await find(staff, "M000000000000000", 404)
    assert "見つかりません" in html


async def test_to_another_merchants_staff_it_is_unknown(client, db, vault, clock, code):
    await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    other = Staff(client)
    await other.sign_in("clerk@yamato.jp")
    for text in (code(), f"{HOST}/c/{code()}"):
        path, html = await find(other, text, 404)
        assert path == "/till/find"
        assert "見つかりません" in html
    assert (await client.get(f"/c/{code()}")).status == 404


@pytest.mark.parametrize("who", [None, "viewer@aozora.jp"])
async def test_nobody_else_is_told_anything(client, db, clock, view, code, who):
    if who is not None:
        await Staff(client).sign_in(who) if who.startswith("clerk") else None
    answer = await client.get(f"/c/{code()}")
    html = await answer.text()
    assert (answer.status, answer.url.path) == (200, f"/c/{code()}")
    assert "会員証のコードです" in html
    for private in ("花子", view.customer.member_no, "コーヒー", "あおぞら", "<svg"):
        assert private not in html
    # A code of nobody looks the same.
    nobody = await (await client.get("/c/M000000000000000")).text()
    assert nobody == html.replace(code(), "M000000000000000")


async def test_the_codes_of_cards_and_wallets_stay_as_they_were(staff, client, view):
    for text in (view.card.code, f"{HOST}/c/{view.card.code}"):
        assert (await find(staff, text))[0] == f"/c/{view.card.code}"
    assert "花子" not in await read(client, f"/c/{view.card.code}")
    await read(client, "/c/MMMMMMMMMMMMM", 404)


async def test_who_was_linked_shows_the_code_of_whom_they_became(
    client, staff, db, shop, vault, links, clock, view
):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    old = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    page = links.member(old.card.id).removeprefix(HOST)
    await db.write(
        link_customers,
        merchant_id=shop.merchant.id,
        from_id=old.customer.id,
        to_id=view.customer.id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    assert view.customer.member_no in await read(client, page)
    code = member_code(view.customer, member_key(vault), clock.now())
    _, html = await find(staff, code)
    assert "花子さん" in html
    stale = member_code(old.customer, member_key(vault), clock.now())
    assert OLD in (await find(staff, stale, 410))[1]


async def test_a_scan_and_a_stamp_reach_the_open_page(client, staff, clock, page, code):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        await events.next()
        path, html = await find(staff, code())
        staff.page = html
        await staff.post(f"/till/cards/{path.removeprefix('/c/')}/stamps", {"n": "1"})
        html = await events.next()
        assert "スタンプ+1" in html
        assert "<b>1 / 10</b>" in html


def test_the_page_lives_no_longer_than_a_link():
    from webhooks import member

    assert timedelta(minutes=10) == member.LIVES
