"""Screenshot protection over real HTTP: what the till reads, what customers see."""

from __future__ import annotations

import html
import io
import json
import re

import pytest

from bot.messages import Reader
from bot.replies import show_cards
from core.actions.cards import cards_of_person, ledger, load_card
from core.actions.join import follow, open_card
from core.actions.passes import hold_pass
from core.actions.publish import find_program, publish, save_draft
from core.actions.scanning import barcode_key
from core.rules.pass_codes import code_before_value, value_at
from core.rules.types import Limit
from passes.qr import qr_svg
from tests.builders import build_shop, coffee, person
from tests.webhooks.desk import at_desk
from tests.webhooks.devices import PINS, give_pins, open_house
from tests.webhooks.rooms import Staff, field, serve_rooms
from tests.webhooks.test_till_queue import Till

HOST = "https://stamps.example.jp"
HOUR = 3_600_000
USED = "このコードは読み取り済みです"
CHANGED = "コードが変わっています"
REPLACED = "このカードは再発行されています"


@pytest.fixture
async def shop(db, vault, clock):
    design = coffee(limit=Limit(), changing_code=True)
    return await build_shop(db, vault, clock.now(), design=design)


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
async def other_till(db, settings, clock, shop):
    """Another browser, of the same clerk."""
    async with serve_rooms(db, settings, clock) as client:
        found = Staff(client)
        await found.sign_in("clerk@aozora.jp")
        yield found


@pytest.fixture
async def view(db, shop, clock):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="太郎",
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


@pytest.fixture
async def code(db, vault, clock, shop, view):
    """What the phone shows now."""
    return await codes_of(db, vault, clock, shop, view)


async def codes_of(db, vault, clock, shop, view):
    where = (shop.merchant.id, view.card.id)
    held = await db.write(hold_pass, *where, "google", clock.now())
    key, start = barcode_key(vault, held.id), code_before_value(view.face.member_no)
    return lambda: f"{start}{value_at(int(clock.now().timestamp() // 30), key)}"


async def find(staff, text, status=200):
    """Where the till is led to by what it reads, and the page."""
    answer = await staff.client.get("/till/find", params={"q": text})
    page = html.unescape(await answer.text())
    assert answer.status == status, (answer.status, page)
    return answer.url.path, page


# --- at the till --------------------------------------------------------------------


async def test_the_till_opens_the_card_and_stamps_it(db, till, code, view):
    path, page = await find(till, f"{HOST}/c/{code()}")
    assert path == f"/c/{view.card.code}"
    assert "太郎" in page
    till.page = page
    await till.post(f"/till/cards/{view.card.code}/stamps", {"n": "1"})
    [entry] = await db.read(ledger, view.card.merchant_id, view.card.id)
    assert (entry.stamps, entry.how) == (1, "scan")


async def test_a_picture_of_it_is_refused_and_staff_are_told_what_to_do(
    till, other_till, code, clock
):
    shot = code()
    await find(till, shot)
    # While it is still on the screen, in the friend's hand at the other till.
    path, page = await find(other_till, shot, 410)
    assert path == "/till/find"
    assert USED in page
    assert "次のコード" in page
    clock.move(minutes=2)
    _, page = await find(till, shot, 410)
    assert CHANGED in page
    assert "いま出ているコード" in page
    await other_till.get("/till/")
    await other_till.post("/till/language", {"language": "en", "back": "/till/"})
    _, page = await find(other_till, shot, 410)
    assert "The code has changed" in page
    await find(other_till, code())


async def test_the_same_till_may_scan_it_twice(till, code, view):
    for _ in range(2):
        path, _ = await find(till, code())
        assert path == f"/c/{view.card.code}"


async def test_it_is_read_in_every_form_that_a_scanner_types(till, code, view, clock):
    for write in (str.lower, lambda c: f" {c} ", lambda c: f"{c[:5]}-{c[5:]}"):
        path, _ = await find(till, write(code()))
        assert path == f"/c/{view.card.code}"
        clock.move(seconds=30)


async def test_a_shops_device_is_one_till_whoever_is_on_shift(
    db, settings, clock, shop, vault, view, code
):
    await give_pins(db, vault, shop.merchant.id)
    async with open_house(db, settings, clock) as house:
        one = await house.device(shop.shop.id)
        two = await house.device(shop.shop.id, "窓口")
        await one.pin(PINS["clerk"])
        await two.pin(PINS["clerk"])
        shot = code()
        await one.get("/till/find", params={"q": shot})
        assert one.path == f"/c/{view.card.code}"
        await one.pin(PINS["manager"])
        await one.get("/till/find", params={"q": shot})
        assert one.path == f"/c/{view.card.code}"
        await two.get("/till/find", params={"q": shot})
        assert (two.status, two.path) == (410, "/till/find")


async def test_a_lost_phones_pass_says_that_it_was_replaced(
    db, vault, clock, shop, till, code, view
):
    await till.get(f"/till/cards/{view.card.code}/reissue")
    await till.post(f"/till/cards/{view.card.code}/reissue", {})
    _, page = await find(till, code(), 410)
    assert REPLACED in page
    now = await db.read(load_card, shop.merchant.id, view.card.id, clock.now())
    fresh = await codes_of(db, vault, clock, shop, now)
    path, _ = await find(till, fresh())
    assert path == f"/c/{now.card.code}"


async def test_the_code_of_an_apple_pass_goes_on(till, view):
    for _ in range(2):
        path, _ = await find(till, f"{HOST}/c/{view.card.code}")
        assert path == f"/c/{view.card.code}"


async def test_a_frame_of_a_camera_is_read_alike(till, code, view):
    import zxingcpp
    from PIL import Image

    svg = qr_svg(f"{HOST}/c/{code()}")
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    image = Image.new("L", (side, side), 255)
    for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        for each in range(int(n)):
            image.putpixel((int(x) + each, int(y)), 0)
    image = image.resize((side * 8, side * 8), Image.Resampling.NEAREST)
    assert zxingcpp.read_barcodes(image)
    out = io.BytesIO()
    image.save(out, "PNG")
    answer = await till.client.post(
        "/till/frames",
        data=out.getvalue(),
        headers={
            "Content-Type": "image/png",
            "X-CSRF-Token": field(till.page, "csrf"),
        },
    )
    text = (await answer.json())["text"]
    path, _ = await find(till, text)
    assert path == f"/c/{view.card.code}"


async def test_of_a_card_without_protection_a_code_still_opens_it(
    db, vault, clock, shop, till
):
    # Until Google has told the phone, it shows what it had.
    await turn_off(db, clock, shop)
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="two",
        now=clock.now(),
    )
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    code = await codes_of(db, vault, clock, shop, view)
    path, _ = await find(till, code())
    assert path == f"/c/{view.card.code}"


# --- a phone's own camera -------------------------------------------------------------


async def test_staff_are_led_to_the_card_by_their_own_camera(till, code, view):
    await till.get(f"/c/{code()}")
    assert till.path == f"/c/{view.card.code}"
    assert "太郎" in till.page


async def test_anybody_else_learns_nothing_and_uses_nothing_up(
    client, other_till, code, view
):
    for _ in range(2):
        answer = await client.get(f"/c/{code()}")
        page = await answer.text()
        assert answer.status == 200
        assert "カードのコードです" in page
        for private in ("太郎", view.face.member_no, view.card.code, "あおぞら"):
            assert private not in page
    path, _ = await find(other_till, code())
    assert path == f"/c/{view.card.code}"


# --- without network ------------------------------------------------------------------


async def test_what_was_scanned_without_network_is_given_late_and_once(
    db, till, code, view, clock
):
    shot = f"{HOST}/c/{code()}"
    clock.move(hours=2)
    said = await till.late(shot, 400)
    assert "確かめられません" in said["words"]
    for _ in range(2):
        said = await till.late(shot, age=2 * HOUR)
        assert (said["outcome"], said["who"]) == ("granted", "太郎さん")
    said = await till.late(shot, 400, age=2 * HOUR, key="another-key")
    assert "読み取り済み" in said["words"]
    assert len(await db.read(ledger, view.card.merchant_id, view.card.id)) == 1


async def test_who_had_opened_the_card_may_send_it_late(till, other_till, code):
    shot = code()
    await find(till, shot)
    said = await till.late(shot)
    assert said["outcome"] == "granted"
    _, page = await find(other_till, shot, 410)
    assert USED in page


# --- what customers see ---------------------------------------------------------------


async def page_of(client, path, **how):
    answer = await client.get(path, **how)
    assert answer.status == 200
    return html.unescape(await answer.text())


async def test_the_card_page_has_a_way_to_a_code_that_changes_and_none_that_stays(
    client, links, view
):
    path = links.wallet(view.card.code).removeprefix(HOST)
    page = await page_of(client, path, headers={"User-Agent": "Android"})
    assert "<svg" not in page
    assert view.card.code not in page
    assert "スクリーンショットを防ぐ" in page
    way = re.search(r'href="([^"]+/code\?lang=ja)"', page)[1]
    answer = await client.get(way, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Cache-Control"] == "no-store"
    member = answer.headers["Location"]
    assert member.startswith(f"{HOST}/m/")
    page = await page_of(client, member.removeprefix(HOST))
    assert "<svg" in page
    assert "1分ごとに変わります" in page
    english = await page_of(client, f"{path}?lang=en")
    assert "a screenshot of it is worth nothing" in english


async def test_the_way_ends_where_the_link_ends(client, links, clock, view):
    path = links.wallet(view.card.code).removeprefix(HOST)
    assert (await client.get(f"{path}x/code")).status == 404
    clock.move(days=31)
    assert (await client.get(f"{path}/code")).status == 410


async def test_a_page_that_ran_out_leads_back_to_the_card_without_line(
    client, links, clock, view
):
    page = links.member(view.card.id).removeprefix(HOST)
    clock.move(minutes=11)
    answer = await client.get(page)
    text = await answer.text()
    assert answer.status == 410
    assert "カードのページから、もう一度" in text
    assert "LINE" not in text


async def test_the_public_page_shows_no_code_and_says_why(client, view):
    page = await page_of(client, f"/c/{view.card.code}")
    assert "<svg" not in page
    assert "スクリーンショットを防ぐ" in page
    page = await page_of(client, f"/c/{view.card.code}?lang=en")
    assert "show the card in your wallet" in page


async def test_without_protection_both_pages_show_the_code(
    db, client, clock, links, shop, view
):
    await turn_off(db, clock, shop)
    for path in (
        f"/c/{view.card.code}",
        links.wallet(view.card.code).removeprefix(HOST),
    ):
        page = await page_of(client, path, headers={"User-Agent": "Android"})
        assert "<svg" in page
        assert "スクリーンショット" not in page


async def turn_off(db, clock, shop):
    ids = (shop.merchant.id, shop.program.id)
    design = coffee(limit=Limit())
    await db.write(save_draft, *ids, design, None, clock.now())
    await db.write(publish, *ids, None, clock.now())


async def test_the_chats_card_leads_the_holder_to_their_own_page(
    db, client, clock, links, shop
):
    who = person()
    await db.write(follow, shop.merchant.id, who, "follow", clock.now())

    async def way():
        faces = await db.read(
            cards_of_person, shop.merchant.id, who.user_id, clock.now()
        )
        reader = Reader(
            merchant=shop.merchant, language="ja", links=links, has_wallet=False
        )
        [message] = show_cards(faces, reader)
        [url] = set(re.findall(rf'"({HOST}/[wc]/[^"]+)"', json.dumps(message)))
        return url.removeprefix(HOST)

    page = await page_of(client, await way())
    assert "会員証(変わるコード)を開く" in page
    await turn_off(db, clock, shop)
    assert (await way()).startswith("/c/")


# --- the settings ---------------------------------------------------------------------


async def test_the_switch_is_kept_and_listed_before_it_is_published(
    db, settings, clock, shop
):
    path = f"/merchant/cards/{shop.program.id}"
    async with at_desk(db, settings, clock) as owner:
        await owner.sign_in("owner@aozora.jp")
        await owner.get(path)
        assert owner.value("screenshot_protection") == "1"
        assert "Apple Walletにはこの機能がなく" in owner.page
        assert "コードは30秒ごとに変わります" in owner.page
        await owner.press(path, "publish", screenshot_protection="")
        assert owner.path == f"{path}/publish"
        assert "スクリーンショット対策" in owner.page
        found = await db.read(find_program, shop.merchant.id, "coffee")
        assert found.design.changing_code is True
        assert found.draft.changing_code is False
        await owner.get(path)
        assert "コードは30秒ごとに変わります" not in owner.page
