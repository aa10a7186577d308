"""A till without network, in a real browser: every stamp comes, and comes once."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.signin import logins
from core.rules.asking import StampAsk
from core.vault import Vault
from tests.builders import build_shop
from tests.webhooks.browsers import (
    CHROMIUM,
    TABLET,
    camera_film,
    camera_flags,
    till_browser,
)
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_till_camera_browser import DETECTOR, read_by_myself

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture
async def view(db, shop, clock):
    """太郎's card."""
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
async def till(db, settings, clock, view):
    """太郎's card is open on a phone."""
    async with till_browser(db, settings, clock) as found:
        await found.page.goto(f"/c/{view.card.code}")
        yield found


async def grants(db, view):
    found = await db.read(ledger, view.card.merchant_id, view.card.id)
    return [entry for entry in found if entry.kind == "stamp"]


def banner(page):
    return page.locator("[data-queue]")


async def wait_for(db, view, n):
    """Until so many stamps are on the card."""
    with db.watch({f"card:{view.card.id}"}) as watch:
        async with asyncio.timeout(60):
            while len(await grants(db, view)) < n:
                await watch.wait(1.0)


async def plus_one(page):
    await page.locator(".acts [data-stamp] .main").click()


async def lose_answer(route):
    """The server gets it; its answer never comes back."""
    await route.fetch()
    await route.abort()


# --- a stamp that cannot be sent ------------------------------------------------------


async def test_a_stamp_without_network_is_kept_and_given_once_it_is_back(
    till, db, view
):
    page = till.page
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(page.locator(".kept")).to_contain_text("あとで送ります")
    await expect(page.locator(".kept")).to_contain_text("太郎さん ＋1")
    await expect(banner(page)).to_contain_text("未送信のスタンプ 1件")
    await expect(page.locator("[data-offline]")).to_be_visible()
    assert await grants(db, view) == []

    await page.context.set_offline(False)
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    await expect(page.locator(".kept.done")).to_contain_text("付けました (1 / 10)")
    await expect(page.locator("[data-offline]")).to_be_hidden()
    [entry] = await grants(db, view)
    assert entry.stamps == 1

    await banner(page).locator("summary").click()
    await expect(banner(page).locator("li")).to_contain_text("太郎さん")
    await banner(page).locator("[data-do=seen]").click()
    await expect(banner(page)).to_be_hidden()


async def test_an_answer_that_was_lost_is_no_second_stamp(till, db, view):
    page = till.page
    await page.route("**/till/cards/*/stamps", lose_answer)
    await page.route("**/till/queue", lose_answer, times=2)
    await plus_one(page)
    await expect(page.locator(".kept")).to_be_visible()
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_proxy_without_its_server_counts_as_no_network(till, db, view, status):
    page = till.page
    answer = {"status": status, "body": "away"}
    await page.route("**/till/cards/*/stamps", lambda route: route.fulfill(**answer))
    await page.route("**/till/queue", lambda route: route.fulfill(**answer))
    await plus_one(page)
    await expect(banner(page)).to_contain_text("未送信のスタンプ 1件")
    assert await grants(db, view) == []
    await page.unroute("**/till/queue")
    await banner(page).locator("summary").click()
    await banner(page).locator("[data-do=retry]").click()
    await wait_for(db, view, 1)


async def test_a_server_that_never_answers_is_not_waited_for(till, db, view):
    page = till.page
    await page.route("**/till/cards/*/stamps", lambda route: None)
    await plus_one(page)
    await expect(page.locator(".kept")).to_be_visible()
    await wait_for(db, view, 1)


async def test_several_at_once_keep_their_number(till, db, view):
    page = till.page
    await page.goto(f"/c/{view.card.code}?n=3")
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(page.locator(".kept")).to_contain_text("＋3")
    await page.context.set_offline(False)
    await wait_for(db, view, 1)
    assert (await grants(db, view))[0].stamps == 3


async def test_with_network_the_answer_is_on_the_page_at_once(till, db, view):
    page = till.page
    await plus_one(page)
    await expect(page.locator(".result.done")).to_contain_text("付与しました")
    await expect(banner(page)).to_be_hidden()
    # Opened again it is the card, not a second stamp; back is where one came from.
    await page.reload()
    await expect(page.locator(".person .count")).to_contain_text("1")
    assert len(await grants(db, view)) == 1


async def test_what_the_server_says_no_to_is_said_as_ever(till, db, view):
    page = till.page
    await page.evaluate(
        "document.querySelector('.acts [name=csrf]').value = 'of yesterday'"
    )
    await plus_one(page)
    await expect(page.locator("h1")).to_be_visible()
    await expect(page.locator(".acts")).to_have_count(0)
    assert await grants(db, view) == []


async def test_who_was_signed_out_loses_no_stamp(till, db, view):
    page = till.page
    kept = await page.context.cookies()
    await page.context.clear_cookies()
    await plus_one(page)
    await expect(page.locator("#password")).to_be_visible()
    await page.context.add_cookies(kept)
    await page.goto("/till/")
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


async def test_a_browser_that_keeps_nothing_does_not_say_that_it_does(till, db, view):
    page = till.page
    await page.evaluate(
        "() => { Storage.prototype.setItem = "
        "() => { throw new DOMException('full'); }; }"
    )
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(page.locator(".acts .bad")).to_contain_text("保存できません")
    await page.context.set_offline(False)
    # The same button with the same key.
    await plus_one(page)
    await expect(page.locator(".result.done")).to_be_visible()
    assert len(await grants(db, view)) == 1


# --- it stays -------------------------------------------------------------------------


async def test_it_outlives_the_page_and_a_night(till, db, view, clock):
    page = till.page
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(banner(page)).to_be_visible()
    context = page.context
    await page.close()
    clock.move(hours=14)
    await context.set_offline(False)
    page = await context.new_page()
    await page.goto("/till/")
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


async def test_an_answer_that_was_lost_with_its_page_is_no_second_stamp(till, db, view):
    page, context = till.page, till.page.context
    await context.route("**/till/queue", lambda route: route.abort())
    await page.route("**/till/cards/*/stamps", lose_answer)
    await plus_one(page)
    await expect(banner(page)).to_contain_text("未送信のスタンプ 1件")
    await page.close()
    await context.unroute("**/till/queue")
    page = await context.new_page()
    await page.goto("/till/")
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


async def test_a_network_that_is_slow_but_there_does_not_lock_the_till(
    db, settings, clock, view
):
    async with till_browser(db, settings, clock) as till:
        page = till.page

        async def slow(route):
            await page.wait_for_timeout(4_500)
            await route.continue_()

        await page.route("**/healthz", slow)
        await expect(page.locator("[data-offline]")).to_be_visible()
        await expect(page.locator("[data-offline]")).to_be_hidden()
        await page.locator(".numbers .first").click()
        await expect(page.locator(".waiting .digits")).to_be_visible()
        await page.unroute_all(behavior="ignoreErrors")


async def test_it_outlives_the_browser(db, settings, clock, view, tmp_path):
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client:
        again = {"client": client, "profile": tmp_path / "profile"}
        async with till_browser(db, settings, clock, **again) as till:
            await till.page.goto(f"/c/{view.card.code}")
            await till.page.context.set_offline(True)
            await plus_one(till.page)
            await expect(banner(till.page)).to_be_visible()
        async with till_browser(db, settings, clock, **again) as till:
            await expect(banner(till.page)).to_contain_text("付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


async def test_it_waits_for_its_merchant_and_names_who_gave_it(
    till, db, settings, clock, view
):
    vault = Vault(settings.secret_key.get_secret_value())
    await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    page, asked = till.page, []
    await page.route("**/till/queue", lambda route: route.abort())
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(banner(page)).to_be_visible()
    await page.context.set_offline(False)
    await page.goto("/till/")

    # Signing out says what waits.
    async def agree(dialog):
        asked.append(dialog.message)
        await dialog.accept()

    page.once("dialog", agree)
    await page.locator(".menu summary").click()
    await page.locator("form[action$=signout] button").click()
    await expect(page.locator("#password")).to_be_visible()

    await till.sign_in("clerk@yamato.jp")
    assert "未送信のスタンプが1件" in asked[0]
    await expect(banner(page)).to_be_hidden()
    await page.unroute("**/till/queue")
    await page.reload()
    await expect(banner(page)).to_be_hidden()
    assert await grants(db, view) == []
    await page.locator(".menu summary").click()
    await page.locator("form[action$=signout] button").click()
    await expect(page.locator("#password")).to_be_visible()

    await till.sign_in("manager@aozora.jp")
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    [entry] = await grants(db, view)
    clerk = (await db.read(logins, "clerk@aozora.jp"))[0].staff.id
    assert entry.staff_id == clerk


async def test_what_is_refused_stays_with_its_reason_until_it_was_seen(
    till, db, view, clock
):
    page = till.page
    await page.context.set_offline(True)
    await plus_one(page)
    await expect(banner(page)).to_be_visible()
    ask = StampAsk(
        merchant_id=view.card.merchant_id,
        key="meanwhile",
        how="scan",
        card_id=view.card.id,
    )
    await db.write(grant_stamps, ask, clock.now())
    await page.context.set_offline(False)
    await expect(banner(page)).to_contain_text("付けられなかったスタンプ 1件")
    for _ in range(2):
        await page.goto("/till/")
        await banner(page).locator("summary").click()
        line = banner(page).locator("li.late-refused")
        await expect(line).to_contain_text("太郎さん")
        await expect(line).to_contain_text("本日分は付与済み")
    await line.locator("[data-do=seen]").click()
    await expect(banner(page)).to_be_hidden()
    await page.reload()
    await expect(banner(page)).to_be_hidden()


async def test_two_open_tills_send_it_once(till, db, view):
    page = till.page
    other = await page.context.new_page()
    await other.goto("/till/")
    await page.context.set_offline(True)
    await plus_one(page)
    # The other page knows of it without being loaded again.
    await expect(banner(other)).to_contain_text("未送信のスタンプ 1件")
    await page.context.set_offline(False)
    await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    await expect(banner(other)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


# --- not wanted after all -------------------------------------------------------------


async def test_one_tap_takes_an_unsent_stamp_back(till, db, view):
    page = till.page
    await page.context.set_offline(True)
    await plus_one(page)
    await page.locator(".kept [data-do=remove]").click()
    await expect(page.locator(".kept")).to_contain_text("取り消しました")
    await page.context.set_offline(False)
    await expect(banner(page)).to_be_hidden()
    assert await grants(db, view) == []


async def test_taken_back_after_a_lost_answer_it_is_undone(till, db, view, clock):
    page = till.page
    await page.route("**/till/queue", lambda route: route.abort())
    await page.route("**/till/cards/*/stamps", lose_answer)
    await plus_one(page)
    await page.locator(".kept [data-do=remove]").click()
    await expect(page.locator(".kept")).to_contain_text("取り消しました")
    await page.unroute("**/till/queue")
    # It tries again by itself, within seconds.
    await expect(banner(page)).to_be_hidden()
    after = await db.read(load_card, view.card.merchant_id, view.card.id, clock.now())
    assert after.face.balance == 0
    assert len(await grants(db, view)) == 1


# --- the open counter -----------------------------------------------------------------


@pytest.mark.parametrize("what", ["url", "code", "number"])
async def test_a_scanner_at_a_counter_without_network_queues_with_one_tap(
    db, settings, clock, view, what
):
    text = {
        "url": f"https://stamps.example.jp/c/{view.card.code}",
        "code": view.card.code,
        "number": view.customer.member_no,
    }[what]
    async with till_browser(db, settings, clock, size=TABLET) as till:
        page = till.page
        await page.context.set_offline(True)
        await page.keyboard.type(text + "\n")
        later = page.locator("[data-late]")
        await expect(later).to_contain_text("通信が切れています")
        await later.locator(".main").click()
        await expect(later).to_contain_text("預かりました")
        # The next customer's code goes right into the same box.
        await page.keyboard.type("だれか\n")
        await expect(later.locator("[data-wrong]")).to_contain_text("8桁の会員番号")
        await later.locator("[data-do=close]").click()
        await expect(banner(page)).to_contain_text("未送信のスタンプ 1件")
        await page.context.set_offline(False)
        await expect(banner(page)).to_contain_text("あとから付けたスタンプ 1件")
    assert len(await grants(db, view)) == 1


async def test_what_was_typed_and_never_tried_is_gone_with_one_tap(
    db, settings, clock, view
):
    async with till_browser(db, settings, clock, size=TABLET) as till:
        page = till.page
        await page.context.set_offline(True)
        await page.keyboard.type(f"{view.card.code}\n\n")
        later = page.locator("[data-late]")
        await expect(later).to_contain_text("預かりました")
        await later.locator("[data-do=close]").click()
        await banner(page).locator("summary").click()
        await banner(page).locator("[data-do=remove]").click()
        await expect(banner(page)).to_be_hidden()
        await page.context.set_offline(False)
        await expect(page.locator("[data-offline]")).to_be_hidden()
    assert await grants(db, view) == []


async def test_a_browser_that_reads_by_itself_scans_without_network(
    db, settings, clock, view, tmp_path
):
    film = camera_film(tmp_path / "film.mjpeg", view.card.code)
    async with till_browser(db, settings, clock, flags=camera_flags(film)) as till:
        page = till.page
        await page.expose_function("readByMyself", read_by_myself)
        await page.add_init_script(DETECTOR)
        await page.goto("/till/")
        await page.context.set_offline(True)
        await page.locator(".scan [data-camera]").click()
        later = page.locator("[data-late]")
        await expect(later.locator("input")).to_have_value(view.card.code)
        await later.locator(".main").click()
        await expect(later).to_contain_text("預かりました")
        # And the next one, by the same camera.
        await later.locator("[data-camera]").click()
        await expect(later).to_contain_text("預かりました")
        await page.context.set_offline(False)
        await expect(banner(page)).to_contain_text("スタンプ")
        await wait_for(db, view, 1)


async def test_a_code_for_customers_needs_the_server_and_the_page_says_so(
    db, settings, clock, view
):
    async with till_browser(db, settings, clock) as till:
        page = till.page
        await page.context.set_offline(True)
        await page.locator(".numbers .first").click()
        later = page.locator("[data-late]")
        await expect(later).to_contain_text("コードを出すには通信が必要です")
        await later.locator("[data-do=close]").click()
        # A link would leave for the browser's own error page.
        await page.locator(".modes a").last.click()
        await expect(later).to_be_visible()
        assert page.url.endswith("/till/")
        await page.context.set_offline(False)
        await expect(later).to_be_hidden()
        await page.locator(".numbers .first").click()
        await expect(page.locator(".waiting .digits")).to_be_visible()


# --- the network-poor message ---------------------------------------------------------


async def test_a_network_that_leads_nowhere_is_told_and_then_not_any_more(
    db, settings, clock, view
):
    async with till_browser(db, settings, clock) as till:
        page = till.page
        poor = page.locator("[data-offline]")
        await expect(poor).to_be_hidden()
        # The browser believes itself online all the time.
        await page.route("**/healthz", lambda route: route.abort())
        await expect(poor).to_be_visible()
        await page.unroute("**/healthz")
        await expect(poor).to_be_hidden()


async def test_a_till_that_was_opened_without_network_says_so_by_itself(till, view):
    page = till.page
    await page.goto("/till/claims")  # a page without a stream
    await page.context.set_offline(True)
    await expect(page.locator("[data-offline]")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.locator("[data-offline]")).to_be_hidden()
