"""Receipt codes: made in batches, as sheets and CSV, over real HTTP."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from core.actions.grant import grant_stamps
from core.actions.programs import pause_program
from core.actions.receipts import list_batches, receipt_codes, revoke_receipts
from core.rules.asking import Granted
from core.store.tables import journal, line_channel
from tests.actions.test_grant import ask
from tests.builders import build_shop
from tests.passes.pdf_pages import read_pages
from tests.webhooks.desk import at_desk
from webhooks.csv_file import csv_text
from webhooks.merchant import receipts

PAGE = "/merchant/codes"
FORM = {
    "name": "秋のキャンペーン",
    "program": "coffee",
    "shop": "main",
    "stamps": "2",
    "count": "30",
    "until": "2026-12-31",
}
COLUMNS = [
    "コード",
    "リンク",
    "スタンプ",
    "カード",
    "店舗",
    "使える最終日",
    "状態",
    "名前",
]


@asynccontextmanager
async def codes_page(db, settings, clock, who="owner@aozora.jp"):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(who)
        await desk.get(PAGE)
        yield desk


def form_of(desk, **fields):
    key = re.search(r'name="key" value="([^"]+)"', desk.page)[1]
    return FORM | {"csrf": desk.csrf, "key": key} | fields


async def make(desk, **fields):
    return await desk.send(f"{PAGE}/receipts", form_of(desk, **fields))


async def batches(db, shop):
    return await db.read(list_batches, shop.merchant.id)


async def one_batch(db, shop, desk, **fields):
    await make(desk, **fields)
    assert desk.status == 200, desk.page
    return (await batches(db, shop))[0]


async def codes_of(db, shop, batch):
    return await db.read(receipt_codes, shop.merchant.id, batch.id)


async def sheet(desk, batch):
    """The sheet, or None where it leads back to the page."""
    answer = await desk.get(f"{PAGE}/receipts/{batch.id}/sheet.pdf")
    assert answer.status == 200
    return None if answer.content_type == "text/html" else await answer.read()


async def table(desk, batch):
    answer = await desk.get(f"{PAGE}/receipts/{batch.id}/codes.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    raw = await answer.read()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


async def use(db, shop, clock, code, who=1):
    outcome = await db.write(grant_stamps, ask(shop, code, code.code, who), clock.now())
    assert isinstance(outcome, Granted), outcome


# --- making ----------------------------------------------------------------------


async def test_a_batch_is_made_listed_and_printed(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk)
        assert "レシートコードを作りました" in desk.page
        for words in ("秋のキャンペーン", "30枚中0枚使用", "2026/12/31まで"):
            assert words in desk.page
        pages = read_pages(await sheet(desk, batch))
    assert (batch.stamps, batch.n_codes) == (2, 30)
    # The business day of 31 December ends at 5:00 on New Year's Day in Tokyo.
    assert batch.expires_at == datetime(2026, 12, 31, 20, tzinfo=UTC)
    codes = await codes_of(db, shop, batch)
    read = [text for page in pages for text in page.codes(200)]
    links = [f"https://line.me/R/oaMessage/%40aozora/?STAMP%20{c.code}" for c in codes]
    assert sorted(read) == sorted(links)
    for words in ("あおぞら珈琲 本店", "スタンプ2個", "2026/12/31まで"):
        assert [t.words for p in pages for t in p.texts].count(words) == 30
    assert f"{codes[0].code[:4]}-{codes[0].code[4:]}" in pages[0].words


async def test_without_a_last_day_and_a_name_there_is_none(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, until="", name="", count="1")
        assert "期限なし" in desk.page
        assert "(名前なし)" in desk.page
        [page] = read_pages(await sheet(desk, batch))
        assert "まで" not in page.words
        [_, row] = await table(desk, batch)
        assert row[5] == row[7] == ""
    assert batch.expires_at is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("count", "0", "1〜1000の数"),
        ("count", "1001", "1〜1000の数"),
        ("count", "abc", "1〜1000の数"),
        ("count", "-1", "1〜1000の数"),
        ("count", "9" * 30, "1〜1000の数"),
        ("stamps", "0", "1〜50個"),
        ("stamps", "x", "1〜50個"),
        ("until", "2026-11-22", "これからの日付"),
        ("until", "0001-01-01", "これからの日付"),
        ("until", "9999-12-31", "10年以内"),
        ("until", "soon", "日付を正しく"),
        ("until", "2026-02-30", "日付を正しく"),
        ("name", "店" * 61, "60文字以内"),
        ("name", "a\x00b", "使えない文字"),
        ("program", "\x00", "カードを選び直して"),
        ("shop", "far", "店舗を選び直して"),
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
        # The rest of what was typed is still there.
        kept = {"name": "秋のキャンペーン", "count": "30", "until": "2026-12-31"}
        for name, typed in kept.items():
            assert name == field or f'value="{typed}"' in desk.page
    assert await batches(db, shop) == []


async def test_all_that_is_wrong_is_said_at_once(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        await make(desk, count="1001", until="2020-01-01", name="店" * 61)
        assert desk.status == 422
        for field in ("count", "until", "name"):
            assert f'id="p-{field}"' in desk.page


async def test_a_double_submit_is_one_batch(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        form = form_of(desk)
        path = f"{PAGE}/receipts"
        answers = await asyncio.gather(
            *(desk.client.post(path, data=form) for _ in range(4))
        )
        assert {answer.status for answer in answers} == {200}
        [batch] = await batches(db, shop)
        assert len(await codes_of(db, shop, batch)) == 30
        # The same page with another number is another wish.
        await desk.client.post(path, data=form | {"count": "5"})
        assert sorted(b.n_codes for b in await batches(db, shop)) == [5, 30]


async def test_a_full_batch_of_a_thousand_is_printed_while_others_are_served(
    db, settings, clock, shop
):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="1000")
        served = 0

        async def others():
            nonlocal served
            while True:
                assert (await desk.client.get("/healthz")).status == 200
                served += 1

        waiting = asyncio.create_task(others())
        answer = await desk.client.get(f"{PAGE}/receipts/{batch.id}/sheet.pdf")
        pdf = await answer.read()
        waiting.cancel()
        assert len(pdf) < 1_000_000
        assert len(read_pages(pdf)) == 42
        # Had the drawing held the loop, nobody would have been served but at its ends.
        assert served > 5


# --- the table -------------------------------------------------------------------


async def test_the_csv_tells_what_became_of_every_code(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="3")
        first, second, third = await codes_of(db, shop, batch)
        await use(db, shop, clock, second)
        head, *rows = await table(desk, batch)
        assert head == COLUMNS
        link = f"https://line.me/R/oaMessage/%40aozora/?STAMP%20{first.code}"
        grouped = f"{first.code[:4]}-{first.code[4:]}"
        assert rows[0] == [
            grouped,
            link,
            "2",
            "コーヒーカード",
            "本店",
            "2026/12/31",
            "未使用",
            "秋のキャンペーン",
        ]
        assert [row[6] for row in rows] == ["未使用", "使用済み", "未使用"]
        clock.move(days=60)
        await desk.sign_in("owner@aozora.jp")
        _, *rows = await table(desk, batch)
        assert [row[6] for row in rows] == ["期限切れ", "使用済み", "期限切れ"]
        await db.write(
            revoke_receipts, shop.merchant.id, batch.id, shop.owner, clock.now()
        )
        _, *rows = await table(desk, batch)
        assert [row[6] for row in rows] == ["取り消し", "使用済み", "取り消し"]
    assert third.code != first.code


@pytest.mark.parametrize("name", ["=1+1", "+81", "-1", "@SUM(A1)", "＝1", "a,b\"c'"])
async def test_no_name_is_a_formula_in_a_spreadsheet(db, settings, clock, shop, name):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, name=name, count="1")
        _, row = await table(desk, batch)
    expected = name if name.startswith("a") else f"'{name}"
    assert row[7] == expected


def test_cells_keep_numbers_and_lines_within_them():
    text = csv_text(["a", "b"], [[-1, "x\r\ny"], [2, "\t=1"]])
    assert text == '\ufeffa,b\r\n-1,"x\r\ny"\r\n2,\'\t=1\r\n'


# --- using and revoking ----------------------------------------------------------


async def test_used_ones_are_counted_and_not_printed_again(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="2")
        first, second = await codes_of(db, shop, batch)
        await use(db, shop, clock, first)
        await desk.get(PAGE)
        assert "2枚中1枚使用" in desk.page
        [page] = read_pages(await sheet(desk, batch))
        assert [second.code in text for text in page.codes(200)] == [True]
        await use(db, shop, clock, second, who=2)
        assert await sheet(desk, batch) is None
        assert "使えるコードが残っていない" in desk.page
        assert "終わったもの (1)" in desk.page
        assert "sheet.pdf" not in desk.page


async def test_the_rest_is_revoked_after_a_question_and_used_stamps_stay(
    db, settings, clock, shop
):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="3")
        first, second, _ = await codes_of(db, shop, batch)
        await use(db, shop, clock, first)
        await desk.get(PAGE)
        assert "まだ使われていない2枚は、すぐに使えなくなります" in desk.page
        for _ in range(2):
            await desk.send(f"{PAGE}/receipts/{batch.id}/revoke", {"csrf": desk.csrf})
            assert "残りのレシートコードを取り消しました" in desk.page
        assert "3枚中1枚使用" in desk.page
        assert "2026/11/23に取り消し済み" in desk.page
        assert await sheet(desk, batch) is None
        assert "もう取り消されています" in desk.page
    outcome = await db.write(grant_stamps, ask(shop, second, "k", 2), clock.now())
    assert not isinstance(outcome, Granted)
    rows = await db.read(lambda tx: tx.execute(select(journal)).all())
    acts = [row.action for row in rows if row.action.startswith("receipts.")]
    assert acts == ["receipts.made", "receipts.revoked"]


async def test_what_is_revoked_while_it_is_drawn_is_not_handed_out(
    db, settings, clock, shop, monkeypatch
):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="3")
        draw = receipts.in_print

        async def revoked_meanwhile(*args):
            await db.write(
                revoke_receipts, shop.merchant.id, batch.id, shop.owner, clock.now()
            )
            return await draw(*args)

        monkeypatch.setattr(receipts, "in_print", revoked_meanwhile)
        assert await sheet(desk, batch) is None
        assert "もう取り消されています" in desk.page


async def test_a_paused_card_is_said_beside_its_codes(db, settings, clock, shop):
    async with codes_page(db, settings, clock) as desk:
        await one_batch(db, shop, desk)
        told = {"merchant_id": shop.merchant.id, "program_id": shop.program.id}
        await db.write(pause_program, **told, by=shop.owner, now=clock.now())
        await desk.get(PAGE)
        assert desk.page.count("カードが「休止中」のため、いまは使えません") == 1


async def test_without_line_the_table_is_there_and_the_sheet_says_why(
    db, settings, clock, shop
):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="1")
        await db.write(lambda tx: tx.execute(line_channel.delete()))
        assert await sheet(desk, batch) is None
        assert "LINEが接続されていないため" in desk.page
        _, row = await table(desk, batch)
        assert row[1] == ""


# --- who may ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_clerks_and_viewers_make_and_see_none(db, settings, clock, shop, role):
    async with codes_page(db, settings, clock) as desk:
        batch = await one_batch(db, shop, desk, count="1")
        form = form_of(desk)
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(f"{role}@aozora.jp")
        await desk.get("/merchant/" if role == "viewer" else "/till/")
        form["csrf"] = desk.csrf
        for path in ("sheet.pdf", "codes.csv"):
            await desk.get(f"{PAGE}/receipts/{batch.id}/{path}")
            assert desk.status == 403
        await desk.send(f"{PAGE}/receipts", form | {"key": "another"})
        assert desk.status == 403
        await desk.send(f"{PAGE}/receipts/{batch.id}/revoke", {"csrf": form["csrf"]})
        assert desk.status == 403
    [same] = await batches(db, shop)
    assert same.revoked_at is None


async def test_another_merchants_batches_are_not_there(
    db, settings, vault, clock, shop
):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    async with codes_page(db, settings, clock, "owner@yamato.jp") as desk:
        theirs = await one_batch(db, other, desk, name="よその秋")
    async with codes_page(db, settings, clock) as desk:
        assert "よその秋" not in desk.page
        for path in ("sheet.pdf", "codes.csv"):
            await desk.get(f"{PAGE}/receipts/{theirs.id}/{path}")
            assert desk.status == 404
        await desk.get(PAGE)
        await desk.send(f"{PAGE}/receipts/{theirs.id}/revoke", {"csrf": desk.csrf})
        assert desk.status == 404
    [same] = await batches(db, other)
    assert same.revoked_at is None
