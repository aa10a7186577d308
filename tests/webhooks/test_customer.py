"""What customers and strangers see, over real HTTP."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from core.actions.apply import apply_channel
from core.actions.cards import find_cards, load_card
from core.actions.channels import GOOGLE_ACCOUNT
from core.actions.erase import erase_customer
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.passes import hold_pass
from core.links import Links
from core.rules.asking import StampAsk
from core.store.tables import card
from core.vault import Vault
from core.wording import say
from jobs.demo.pass_file import open_pass
from passes.qr import qr_svg
from tests.builders import build_shop
from tests.jobs.google_world import google_world
from tests.passes.apple_chain import connect_apple
from tests.passes.google_cards import ISSUER
from tests.webhooks.rooms import field, serve_rooms
from tests.webhooks.test_phones import AGENTS
from tests.webhooks.test_till import Events

IPHONE = {"User-Agent": AGENTS["iPhone Safari"][0]}
ANDROID = {"User-Agent": AGENTS["Pixel Chrome"][0]}
IN_LINE = {"User-Agent": AGENTS["iPhone LINE"][0]}
MACBOOK = {"User-Agent": AGENTS["Mac Safari"][0]}
ENGLISH = {"Accept-Language": "en-US,en;q=0.9"}


@pytest.fixture
def links(vault, settings, clock):
    return Links(vault, settings.public_url, clock)


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def view(db, shop, clock):
    """太郎's card with three stamps, without LINE."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="太郎",
    )
    await stamp(db, shop, clock, card_id, 3)
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


@pytest.fixture
def page(links, view):
    """The path of the card's own page."""
    return links.wallet(view.card.id).removeprefix("https://stamps.example.jp")


async def stamp(db, shop, clock, card_id, n):
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=f"till:{clock.now()}",
        how="till",
        card_id=card_id,
        stamps=n,
    )
    return await db.write(grant_stamps, ask, clock.now())


async def read(client, path, status=200, **how):
    answer = await client.get(path, **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


async def connect_google(shop, vault, clock, account):
    values = {
        "issuer_id": ISSUER,
        "sealed_service_account": vault.seal(account, shop.merchant.id, GOOGLE_ACCOUNT),
    }
    await shop.db.write(apply_channel, shop.merchant.id, "google", values, clock.now())


# --- /c/ for strangers ------------------------------------------------------------


async def test_a_stranger_learns_nothing_private_from_a_cards_code(client, view):
    text = await read(client, f"/c/{view.card.code}")
    for known in ("コーヒーカード", "あおぞら珈琲", "本店", "/j/aozora/coffee"):
        assert known in text
    for private in ("太郎", view.customer.member_no, view.card.id, view.customer.id):
        assert private not in text
    # The picture is of an empty card.
    assert "/strip-0-" in text


@pytest.mark.parametrize("email", ["viewer@aozora.jp", "owner@yamato.jp"])
async def test_a_viewer_and_another_merchants_owner_are_strangers(
    client, db, settings, clock, view, email
):
    vault = Vault(settings.secret_key.get_secret_value())
    await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    form = {"email": email, "password": "きょうは朝から雨でした2026"}
    await client.post("/till/signin", data=form)
    assert "太郎" not in await read(client, f"/c/{view.card.code}")


async def test_staff_signed_in_at_the_settings_page_may_scan_too(client, view):
    form = {"email": "manager@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await client.post("/merchant/signin", data=form)
    assert "太郎" in await read(client, f"/c/{view.card.code}")


async def test_an_unknown_code_is_a_kind_page(client):
    assert "カードが見つかりません" in await read(client, "/c/0000000000000", 404)
    text = await read(client, "/c/0000000000000", 404, headers=ENGLISH)
    assert "find this card" in text
    assert 'lang="en"' in text


# --- /w/ the card's own page ------------------------------------------------------


async def test_the_page_shows_the_card_and_its_code(client, page, view):
    text = await read(client, page)
    for words in ("<b>3</b>", "あと7個で「コーヒー1杯」", view.customer.member_no):
        assert words in text
    assert "/strip-3-" in text
    assert text.count("<svg") == 2  # its own code, and this page for a phone


async def test_only_wallets_that_are_connected_are_offered(
    client, page, shop, vault, clock
):
    assert "pkpass" not in await read(client, page)
    await connect_apple(shop, vault, clock.now())
    text = await read(client, page)
    assert f'href="{page}.pkpass"' in text
    assert "/google" not in text


@pytest.mark.parametrize(("agent", "first"), [(IPHONE, "pkpass"), (ANDROID, "google")])
async def test_the_phones_own_wallet_comes_first(
    client, page, shop, vault, clock, agent, first
):
    await connect_apple(shop, vault, clock.now())
    await connect_google(shop, vault, clock, "{}")
    text = await read(client, page, headers=agent)
    assert (
        re.findall(r'class="button[^"]*"[^>]*href="[^"]*(pkpass|google)', text)[0]
        == first
    )
    assert text.count("<svg") == 1  # a phone needs no code of this page


async def test_in_lines_own_browser_a_pass_opens_in_the_phones(
    client, page, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    text = await read(client, page, headers=IN_LINE)
    out = re.search(rf'href="({re.escape(page)}\?add=apple&amp;[^"]*)"', text)[1]
    assert "openExternalBrowser=1" in out
    assert ".pkpass" not in text
    # There it goes on into the wallet, with the card's page behind it.
    opened = await read(client, unescape(out), headers=IPHONE)
    assert f'data-add="{page}.pkpass"' in opened
    # Where LINE opens it itself all the same, the pass is tried there.
    assert f'data-add="{page}.pkpass"' in await read(
        client, unescape(out), headers=IN_LINE
    )


async def test_only_a_wallet_that_is_offered_is_gone_on_into(
    client, page, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    for wallet in ("google", "samsung", "<script>"):
        text = await read(client, f"{page}?add={wallet}", headers=IPHONE)
        assert "data-add" not in text
    assert "data-add" in await read(client, f"{page}?add=apple", headers=IPHONE)


async def test_a_mac_may_hand_the_pass_on_and_other_computers_show_a_code(
    client, page, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    text = await read(client, page, headers=MACBOOK)
    assert "iCloud" in text
    assert text.count("<svg") == 2
    assert "iCloud" not in await read(client, page)


async def test_the_page_says_what_a_new_phone_and_another_account_need(
    client, page, shop, vault, clock
):
    assert "機種変更" not in await read(client, page)
    await connect_apple(shop, vault, clock.now())
    text = await read(client, page, headers=IPHONE)
    assert "同じカードがそのまま入ります" in text
    assert "Googleアカウント" not in text
    await connect_google(shop, vault, clock, "{}")
    text = await read(client, page, headers=ANDROID)
    assert "別のアカウントに移るときは" in text
    english = await read(client, page, headers=ANDROID | ENGLISH)
    assert "re-issue" in english


async def test_the_page_changes_with_the_stamp(client, page, db, shop, clock, view):
    async with client.get(f"{page}/events") as answer:
        events = Events(answer)
        assert "<b>3</b>" in await events.next()
        clock.move(days=1)
        await stamp(db, shop, clock, view.card.id, 2)
        assert "<b>5</b>" in await events.next()


async def test_the_pass_is_a_signed_file_that_nobody_keeps(
    client, page, shop, vault, clock, db, view
):
    await connect_apple(shop, vault, clock.now())
    answer = await client.get(f"{page}.pkpass")
    body = await answer.read()
    assert answer.status == 200, body
    assert answer.content_type == "application/vnd.apple.pkpass"
    assert answer.headers["Cache-Control"] == "no-store"
    held = await db.write(
        hold_pass, shop.merchant.id, view.card.id, "apple", clock.now()
    )
    info = open_pass(body)
    assert info.serial == held.id
    # The same pass again, not another one.
    again = open_pass(await (await client.get(f"{page}.pkpass")).read())
    assert again.serial == held.id


async def test_a_certificate_that_does_not_sign_is_said_kindly(
    client, page, shop, clock, db
):
    broken = {
        "pass_type_id": "pass.jp.example.aozora",
        "team_id": "ABCDE12345",
        "certificate_pem": "none",
        "sealed_key": "none",
        "wwdr_pem": "none",
    }
    await db.write(apply_channel, shop.merchant.id, "apple", broken, clock.now())
    text = await read(client, f"{page}.pkpass", 503)
    assert "いまApple Walletに追加できません" in text
    # It is the card's own page that says so.
    for there in ("<b>3</b>", f'data-events="{page}/events', f'href="{page}?lang=en"'):
        assert there in text


async def test_a_wallet_that_is_not_connected_is_not_there(client, page):
    for path in (f"{page}.pkpass", f"{page}/google"):
        text = await read(client, path, 404)
        assert "対応していません" in text
        assert "<b>3</b>" in text


async def test_google_is_one_redirect_away(db, settings, clock, shop, vault, view):
    async with google_world(clock) as world:
        settings = settings.model_copy(update=world.settings)
        await connect_google(shop, vault, clock, world.account)
        async with serve_rooms(db, settings, clock) as client:
            token = Links(vault, "", clock).sign("wallet", view.card.id)
            answer = await client.get(f"/w/{token}/google", allow_redirects=False)
    assert answer.status == 302
    assert answer.headers["Location"].startswith("https://pay.google.com/gp/v/save/")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_when_google_cannot_be_asked_the_page_says_so(
    client, page, shop, vault, clock
):
    await connect_google(shop, vault, clock, "{}")
    text = await read(client, f"{page}/google", 503)
    assert "Google ウォレットにつながりません" in text
    assert "<b>3</b>" in text


async def test_an_old_link_says_what_to_do(client, page, clock):
    clock.move(days=31)
    for path in (page, f"{page}.pkpass", f"{page}/google", f"{page}/events"):
        assert "有効期限が切れました" in await read(client, path, 410)
    text = await read(client, page, 410, headers=ENGLISH)
    assert "links work for 30 days" in text


async def test_a_forged_link_opens_nothing(client, page, links, view, vault, settings):
    other = Links(Vault("another key of forty letters, not ours!!"), "", None)
    forged = [
        page[:-9] + ("A" if page[-9] != "A" else "B") + page[-8:],
        "/w/x",
        "/w/a.b.c",
    ]
    forged += [f"/w/{other.sign('wallet', view.card.id)}"]
    forged += [f"/w/{links.sign('join', view.card.id)}"]
    forged += [f"/w/{links.sign('wallet', 'nobody')}"]
    for path in forged:
        text = await read(client, path, 404)
        assert "このリンクは使えません" in text
        assert "太郎" not in text


async def test_a_link_is_good_to_its_last_day(client, page, clock):
    clock.at += timedelta(days=30) - timedelta(seconds=5)
    await read(client, page)


# --- /j/ joining ------------------------------------------------------------------


async def test_the_poster_offers_line_and_just_this_page(client):
    text = await read(client, "/j/aozora/coffee", headers=IPHONE)
    assert 'href="https://line.me/R/ti/p/%40aozora"' in text
    assert "このページだけで使う" in text
    assert "Apple Walletに追加" not in text


async def test_joining_twice_with_one_tap_is_one_card(client, db, shop, clock):
    form = {"token": field(await read(client, "/j/aozora/coffee"), "token")}
    pages = set()
    for _ in range(2):
        answer = await client.post("/j/aozora/coffee", data=form)
        assert answer.status == 200
        pages.add(re.search(r"\d{4}-\d{4}", await answer.text())[0])
    (number,) = pages
    found = await db.read(find_cards, shop.merchant.id, clock.now(), member_no=number)
    assert len(found) == 1


async def test_who_has_a_card_already_is_led_to_it(client):
    form = {"token": field(await read(client, "/j/aozora/coffee"), "token")}
    card = (await client.post("/j/aozora/coffee", data=form)).url.path
    text = await read(client, "/j/aozora/coffee")
    assert f'href="{card}"' in text
    # The address is the card: it is not told to a page of another program.
    assert "お持ちのカードを開く" in text


async def test_two_windows_of_one_browser_open_one_card(client, db, shop, clock):
    forms = [
        {"token": field(await read(client, "/j/aozora/coffee"), "token")}
        for _ in range(2)
    ]
    # At once, before the cookie of either answer is there.
    answers = await asyncio.gather(
        *(client.post("/j/aozora/coffee", data=form) for form in forms)
    )
    assert answers[0].url.path == answers[1].url.path


async def test_a_phone_that_has_a_card_opens_no_other_for_a_year(
    client, clock, db, shop
):
    before = await read(client, "/j/aozora/coffee")
    first = await client.post(
        "/j/aozora/coffee", data={"token": field(before, "token")}
    )
    number = re.search(r"\d{4}-\d{4}", await first.text())[0]
    clock.move(days=300)
    # The link in a chat is over by then, this browser's card is not.
    await read(client, first.url.path, 410)
    text = await read(client, "/j/aozora/coffee", headers=IPHONE)
    assert "<form" not in text
    mine = re.search(r'href="(/w/[^"]*)"', text)[1]
    assert number in await read(client, mine)

    assert len(await all_cards(db)) == 1


async def test_who_left_begins_anew_from_the_same_phone(client, clock, db, shop):
    text = await read(client, "/j/aozora/coffee")
    await client.post("/j/aozora/coffee", data={"token": field(text, "token")})
    [held] = await all_cards(db)
    await db.write(
        erase_customer,
        merchant_id=shop.merchant.id,
        customer_id=held.customer_id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    text = await read(client, "/j/aozora/coffee")
    assert "お持ちのカード" not in text
    again = await client.post("/j/aozora/coffee", data={"token": field(text, "token")})
    assert again.status == 200
    assert len(await all_cards(db)) == 2


async def test_in_lines_browser_no_card_is_opened(client, shop, vault, clock):
    await connect_apple(shop, vault, clock.now())
    text = await read(client, "/j/aozora/coffee", headers=IN_LINE)
    assert "<form" not in text
    out = "/j/aozora/coffee?openExternalBrowser=1&amp;lang=ja"
    assert text.count(f'href="{out}"') == 2
    # LINE itself is one tap away there.
    assert 'href="https://line.me/R/ti/p/%40aozora"' in text
    # Where LINE opens it itself all the same, it has to do.
    assert "<form" in await read(client, unescape(out), headers=IN_LINE)


@pytest.mark.parametrize(
    ("to", "query"),
    [("apple", "?add=apple"), ("google", "?add=google"), ("page", ""), ("x", "")],
)
async def test_joining_leads_to_the_card_and_on(client, to, query):
    text = await read(client, "/j/aozora/coffee")
    form = {"token": field(text, "token"), "to": to}
    answer = await client.post("/j/aozora/coffee", data=form, allow_redirects=False)
    assert answer.status == 303
    page, mark, rest = answer.headers["Location"].partition("?")
    assert page.startswith("/w/")
    assert mark + rest == query


async def test_the_chosen_language_goes_along(client):
    text = await read(client, "/j/aozora/coffee?lang=en")
    form = {"token": field(text, "token"), "to": "apple"}
    answer = await client.post(
        "/j/aozora/coffee?lang=en", data=form, allow_redirects=False
    )
    assert answer.headers["Location"].endswith("?add=apple&lang=en")


async def test_a_computer_hands_the_poster_to_the_phone(client, shop, vault, clock):
    await connect_apple(shop, vault, clock.now())
    for how in ({}, MACBOOK):
        text = await read(client, "/j/aozora/coffee", headers=how)
        assert "スマートフォンで読み取ってください" in text
        assert qr_svg("https://stamps.example.jp/j/aozora/coffee") in text
        assert "Apple Walletに追加" not in text
    phone = await read(client, "/j/aozora/coffee", headers=IPHONE)
    assert "<svg" not in phone
    assert "Apple Walletに追加" in phone
    # Nor is a phone offered the other one's wallet.
    assert "Apple Walletに追加" not in await read(
        client, "/j/aozora/coffee", headers=ANDROID
    )


async def all_cards(db):
    return await db.read(lambda tx: tx.execute(select(card)).all())


@pytest.mark.parametrize("token", ["", "forged"])
async def test_a_form_without_our_token_starts_over(client, token):
    answer = await client.post(
        "/j/aozora/coffee", data={"token": token}, allow_redirects=False
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/j/aozora/coffee")


@pytest.mark.parametrize("path", ["/j/nobody/coffee", "/j/aozora/tea"])
async def test_an_unknown_poster_is_a_kind_page(client, path):
    assert "このカードは見つかりません" in await read(client, path, 404)


async def test_pages_need_no_inline_script_or_style(client, page, view):
    for path in (page, f"/c/{view.card.code}", "/j/aozora/coffee", "/w/x"):
        answer = await client.get(path)
        text = await answer.text()
        assert not re.search(r"<style|style=|<script(?! src)| on\w+=", text)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        for url in re.findall(
            r'(?:href|src)="(/(?:static|looks|pictures)/[^"]*)"', text
        ):
            assert (await client.get(url)).status == 200, url


async def test_the_page_of_somebody_who_left_says_that_they_did(
    client, db, clock, page, view
):
    await db.write(
        erase_customer,
        merchant_id=view.card.merchant_id,
        customer_id=view.customer.id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    reason = say("erased.left", "ja")
    assert f"このカードは停止されています({reason})" in await read(client, page)
