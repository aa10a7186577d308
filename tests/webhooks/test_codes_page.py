"""Join posters and stamp codes on the wall: the settings page over real HTTP."""

from __future__ import annotations

import asyncio
import html
import io
import re
from contextlib import asynccontextmanager
from urllib.parse import unquote

import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import find_cards
from core.actions.printed import printed_codes, revoke_printed_code
from core.actions.programs import archive_program, pause_program
from core.actions.publish import list_programs
from core.store.tables import journal, line_channel
from tests.bot.line_house import LineHouse
from tests.builders import build_shop, coffee
from tests.passes.pdf_pages import read_pages
from tests.webhooks.desk import at_desk
from webhooks.merchant import posters

PAGE = "/merchant/codes"
OWNER, MANAGER = "owner@aozora.jp", "manager@aozora.jp"
FORM = {"program": "coffee", "shop": "main", "stamps": "2", "radius_m": ""}


@asynccontextmanager
async def codes_page(db, settings, clock, who=OWNER, language="ja"):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(who)
        if language != "ja":
            fields = {"csrf": desk.csrf, "language": language, "next": PAGE}
            await desk.send("/merchant/language", fields)
        await desk.get(PAGE)
        yield desk


def key_of(page):
    return re.search(r'name="key" value="([^"]+)"', page)[1]


async def make(desk, key=None, **fields):
    form = FORM | fields | {"csrf": desk.csrf, "key": key or key_of(desk.page)}
    return await desk.send(f"{PAGE}/printed", form)


async def made(db, shop):
    return await db.read(printed_codes, shop.merchant.id)


async def download(desk, path):
    """The file at `path`, or None where it leads back to the page."""
    answer = await desk.get(PAGE + path)
    assert answer.status == 200, answer.status
    if answer.content_type == "text/html":
        return None
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["Cache-Control"] == "no-store"
    return await answer.read()


def scanned(content):
    """What a scanner reads of a poster or of a picture."""
    if content.startswith(b"%PDF"):
        [page] = read_pages(content)
        [text] = page.codes(150)
        return text
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(content)).convert("L"))
    return code.text


async def journal_of(db):
    rows = await db.read(lambda tx: tx.execute(select(journal)).all())
    return [row.action for row in rows if row.action.startswith("printed_code.")]


async def forget_line(db):
    await db.write(lambda tx: tx.execute(line_channel.delete()))


# --- who may ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_clerks_and_viewers_print_nothing(db, settings, clock, shop, role):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(f"{role}@aozora.jp")
        for path in ("", "/join/coffee/a4.pdf", "/printed/7K3Q9FJ2/qr.png"):
            await desk.get(PAGE + path)
            assert desk.status == 403, path
        await desk.get("/merchant/")
        assert PAGE not in desk.page
        await make(desk, key="k")
        assert desk.status == 403
    assert await made(db, shop) == []


async def test_the_home_page_leads_there(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(MANAGER)
        assert f'href="{PAGE}"' in desk.page


async def test_another_merchants_cards_shops_and_codes_are_not_there(
    db, settings, vault, clock, shop
):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    file = MerchantFile(
        merchant={"key": "yamato"},
        shops=({"key": "far", "name": "遠い店"},),
        programs=(("tea", coffee(name="お茶カード")),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    async with codes_page(db, settings, clock, "owner@yamato.jp") as desk:
        await make(desk)
    [theirs] = await made(db, other)
    async with codes_page(db, settings, clock) as desk:
        assert theirs.code[:4] not in desk.page
        assert "お茶カード" not in desk.page
        for ours in ({"program": "tea"}, {"shop": "far"}):
            await make(desk, **ours)
            assert desk.status == 422
            await desk.get(PAGE)
        assert await download(desk, f"/printed/{theirs.code}/a4.pdf") is None
        await desk.get(PAGE + "/join/tea/a4.pdf")
        assert desk.status == 404
        await desk.get(PAGE)
        await desk.send(f"{PAGE}/printed/{theirs.code}/revoke", {"csrf": desk.csrf})
        assert desk.status == 404
    assert await made(db, shop) == []
    assert await made(db, other) == [theirs]


# --- join posters ----------------------------------------------------------------


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_join_poster_leads_to_the_join_page(
    db, settings, clock, shop, language
):
    async with codes_page(db, settings, clock, language=language) as desk:
        files = [
            await download(desk, f"/join/coffee/{file}")
            for file in ("a4.pdf", "a6.pdf", "qr.png")
        ]
        assert {scanned(f) for f in files} == {"http://127.0.0.1/j/aozora/coffee"}
        [page] = read_pages(files[0])
        call = {"ja": "読み取って、カードを受け取る", "en": "Scan it, and the card"}
        assert call[language] in page.words
        assert {"ja": "LINEで使えます。", "en": "For LINE."}[language] in page.words
        await desk.get(scanned(files[0]).replace("http://127.0.0.1", ""))
        assert desk.status == 200
        assert "コーヒーカード" in desk.page


async def test_a_paused_card_says_so_and_an_archived_one_is_not_offered(
    db, settings, clock, shop
):
    [program] = await db.read(list_programs, shop.merchant.id)
    told = {"merchant_id": shop.merchant.id, "program_id": program.id}
    async with codes_page(db, settings, clock) as desk:
        await db.write(pause_program, **told, by=shop.owner, now=clock.now())
        await desk.get(PAGE)
        assert "いまは新しく受け取れません" in desk.page
        await db.write(archive_program, **told, by=shop.owner, now=clock.now())
        await desk.get(PAGE)
        assert "/join/coffee/" not in desk.page
        await desk.get(PAGE + "/join/coffee/a4.pdf")
        assert desk.status == 404


# --- stamp codes on the wall -----------------------------------------------------


async def test_a_posters_code_that_is_scanned_and_sent_gives_its_stamps(
    db, settings, clock, vault, links, shop
):
    house = LineHouse(settings, db, shop, clock, vault, links)
    await house.start()
    house.run()
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        url = scanned(await download(desk, f"/printed/{code.code}/a6.pdf"))

    # As LINE does with such a link: what is after the question mark is typed.
    text = unquote(url.partition("/?")[2])
    friend = house.friend()
    answer = await house.ask(friend, text)
    assert "2" in str(answer["altText"])
    assert await house.stamps() == 2
    again = await house.ask(friend, text)
    assert "本日分は付与済みです" in str(again)
    assert await house.stamps() == 2

    async with codes_page(db, settings, clock) as desk:
        await desk.send(f"{PAGE}/printed/{code.code}/revoke", {"csrf": desk.csrf})
    clock.move(hours=30)
    gone = await house.ask(friend, text)
    assert await house.stamps() == 2, gone
    await house.stop()


async def test_it_warns_before_and_says_what_is_forced(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        assert "写真に撮って人に送ることができます" in desk.page
        assert "お一人さま1営業日に1回まで" in desk.page
        await make(desk, radius_m="300")
        assert "コードを作りました" in desk.page
        assert "300m以内" in desk.page
        [code] = await made(db, shop)
        assert (code.stamps, code.radius_m, code.expires_at) == (2, 300, None)
        [page] = read_pages(await download(desk, f"/printed/{code.code}/a4.pdf"))
    for words in (
        "スタンプ2個",
        f"{code.code[:4]}-{code.code[4:]}",
        "お一人さま1営業日に1回まで使えます。",
        "「本店」から300m以内で使えます。",
        "あおぞら珈琲 本店",
    ):
        assert words in page.words
    assert await journal_of(db) == ["printed_code.made"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("stamps", "0", "1〜50個"),
        ("stamps", "51", "1〜50個"),
        ("stamps", "abc", "1〜50個"),
        ("stamps", "", "1〜50個"),
        ("radius_m", "49", "50〜5000の数"),
        ("radius_m", "5001", "50〜5000の数"),
        ("radius_m", "-3", "50〜5000の数"),
        ("radius_m", "near", "50〜5000の数"),
        ("program", "no-such", "カードを選び直して"),
        ("program", "a\x00b", "カードを選び直して"),
        ("shop", "", "店舗を選び直して"),
    ],
)
async def test_what_cannot_be_made_is_said_beside_its_field(
    db, settings, clock, shop, field, value, words
):
    async with codes_page(db, settings, clock) as desk:
        await make(desk, **{field: value})
        assert desk.status == 422
        problem = re.search(rf'id="p-{field}">([^<]+)<', desk.page)
        assert problem
        assert words in html.unescape(problem[1])
        if field in {"stamps", "radius_m"}:
            assert f'name="{field}" type="number"' in desk.page
            assert f'value="{value}"' in desk.page
    assert await made(db, shop) == []


async def test_a_double_tap_is_one_code_and_another_wish_is_another(
    db, settings, clock, shop
):
    async with codes_page(db, settings, clock) as desk:
        key, csrf = key_of(desk.page), desk.csrf
        form = FORM | {"csrf": csrf, "key": key}
        path = f"{PAGE}/printed"
        answers = await asyncio.gather(
            *(desk.client.post(path, data=form) for _ in range(4))
        )
        assert {answer.status for answer in answers} == {200}
        assert len(await made(db, shop)) == 1
        # Back in the browser's history, with another number typed.
        await desk.client.post(path, data=form | {"stamps": "3"})
        assert sorted(c.stamps for c in await made(db, shop)) == [2, 3]


async def test_a_revoked_code_is_not_printed_any_more(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        path = f"/printed/{code.code}"
        assert "すぐに使えなくなります" in desk.page
        for _ in range(2):
            await desk.send(f"{PAGE}{path}/revoke", {"csrf": desk.csrf})
            assert "コードを取り消しました" in desk.page
        for file in ("a4.pdf", "a6.pdf", "qr.png"):
            assert await download(desk, f"{path}/{file}") is None
            assert "もう取り消されています" in desk.page
    assert await made(db, shop) == []
    assert await journal_of(db) == ["printed_code.made", "printed_code.revoked"]


async def test_what_is_revoked_while_it_is_drawn_is_not_handed_out(
    db, settings, clock, shop, monkeypatch
):
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        draw = posters.print_poster

        async def revoked_meanwhile(*args):
            told = (shop.merchant.id, code.code, shop.owner.id, clock.now())
            await db.write(revoke_printed_code, *told)
            return await draw(*args)

        monkeypatch.setattr(posters, "print_poster", revoked_meanwhile)
        assert await download(desk, f"/printed/{code.code}/a4.pdf") is None
        assert "もう取り消されています" in desk.page


async def test_forms_without_the_token_of_the_session_do_nothing(
    db, settings, clock, shop
):
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        await desk.send(f"{PAGE}/printed", FORM)
        assert desk.status == 403
        await desk.send(f"{PAGE}/printed/{code.code}/revoke", {})
        assert desk.status == 403
    assert len(await made(db, shop)) == 1


async def test_without_line_there_is_no_form_and_it_says_why(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        await forget_line(db)
        await desk.get(PAGE)
        assert desk.page.count("先にLINEを接続してください") == 2
        assert 'name="stamps"' not in desk.page
        assert await download(desk, f"/printed/{code.code}/a4.pdf") is None
        assert "LINEが接続されていないため" in desk.page
        # Who joins by a wallet or a page needs no LINE.
        [page] = read_pages(await download(desk, "/join/coffee/a4.pdf"))
        assert "スマートフォンの画面で使えます。" in page.words


async def test_a_distance_needs_a_place_and_it_says_which_shops_have_one(
    db, settings, clock, shop
):
    await add_shop(db, clock, "second", "二号店")
    async with codes_page(db, settings, clock) as desk:
        assert "場所が登録されている店舗: 本店" in desk.page
        await make(desk, shop="second", radius_m="100")
        assert desk.status == 422
        assert "店舗の場所が登録されていません" in desk.page
    assert await made(db, shop) == []


async def add_shop(db, clock, key, name, **place):
    file = MerchantFile(
        merchant={"key": "aozora"}, shops=({"key": key, "name": name, **place},)
    )
    await db.write(apply_merchant, file, {}, clock.now())


async def test_names_that_cannot_be_printed_are_named_before(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        assert "印刷に使えない文字" not in desk.page
    await add_shop(db, clock, "flower", "花🌸の店𠮷")
    async with codes_page(db, settings, clock) as desk:
        assert "印刷に使えない文字があります: 🌸 𠮷" in desk.page
        await make(desk, shop="flower")
        [code] = await made(db, shop)
        [page] = read_pages(await download(desk, f"/printed/{code.code}/a4.pdf"))
    assert "花〓の店〓" in page.words


@pytest.mark.parametrize("path", ["/printed/7K3Q9FJ2/a5.pdf", "/join/coffee/x.png"])
async def test_other_files_are_not_there(db, settings, clock, shop, path):
    async with codes_page(db, settings, clock) as desk:
        await desk.get(PAGE + path)
        assert desk.status == 404


async def test_the_history_at_the_till_names_stamps_of_a_poster(
    db, settings, clock, vault, links, shop
):
    house = LineHouse(settings, db, shop, clock, vault, links)
    await house.start()
    house.run()
    async with codes_page(db, settings, clock) as desk:
        await make(desk)
        [code] = await made(db, shop)
        friend = house.friend()
        await house.ask(friend, f"STAMP {code.code}")
        said = await house.ask(friend, "履歴")
        assert "掲示のコード" in str(said)
        [card] = await db.read(
            find_cards, shop.merchant.id, clock.now(), line_user_id=friend
        )
        await desk.get(f"/c/{card.card.code}")
        assert "掲示のコード" in desk.page
    await house.stop()
