"""Posters and sheets as they come out of a printer: read back by a scanner."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import zxingcpp
from PIL import Image

from core.rules.colours import contrast_ratio
from core.rules.types import Look
from passes.paper.modules import PNG_SIDE, print_png, qr_runs
from passes.paper.poster import Poster, draw_poster
from passes.paper.slips import PER_PAGE, Sheets, Slip, draw_sheets
from tests.passes.pdf_pages import read_pages

MM = 72 / 25.4
JOIN = "https://stamps.example.jp/j/aozora/coffee"

POSTER = Poster(
    language="ja",
    look=Look(background="#5A3A22", foreground="#FFFFFF"),
    owner="あおぞら珈琲",
    title="コーヒーカード",
    promise="10個ためて「コーヒー1杯」",
    call="読み取って、カードを受け取る",
    qr=JOIN,
    letters=JOIN,
    steps=("LINEで使えます。", "会員登録はいりません。"),
    notes=("いま始めると、スタンプ2個プレゼント",),
)


def line_url(n):
    return f"https://line.me/R/oaMessage/%40aozora/?STAMP%207K3Q{n:04}"


def sheets(count, **changes):
    slips = [Slip(qr=line_url(n), letters=f"7K3Q-{n:04}") for n in range(count)]
    values = {
        "language": "ja",
        "name": "秋のキャンペーン",
        "shop": "あおぞら珈琲 本店",
        "worth": "スタンプ2個",
        "until": "2026/12/31まで",
        "how": "読み取ってLINEで送信",
        "slips": slips,
    }
    return Sheets(**(values | changes))


def quiet_zone(page, side):
    """The least white around the page's one code, in modules."""
    black = [r for r in page.rects if r[4] == "#000000"]
    module = min(r[3] for r in black)
    left, right = min(r[0] for r in black), max(r[0] + r[2] for r in black)
    foot, top = min(r[1] for r in black), max(r[1] + r[3] for r in black)
    assert round((right - left) / module) == round((top - foot) / module) == side
    others = [r for r in page.rects if r[4] != "#000000"]
    gaps = [left, page.width - right, *(r[1] - top for r in others)]
    for text in page.texts:
        if text.y > top:
            gaps.append(text.y - 0.2 * text.size - top)
        elif text.y < foot:
            gaps.append(foot - text.y - text.size)
    return min(gaps) / module


# --- posters ---------------------------------------------------------------------


@pytest.mark.parametrize(("paper", "width"), [("a4", 210), ("a6", 105)])
@pytest.mark.parametrize("url", [JOIN, line_url(7), "https://x.example/" + "j" * 90])
def test_a_posters_code_reads_back_with_its_quiet_zone(paper, width, url):
    [page] = read_pages(draw_poster(replace(POSTER, qr=url, letters=url), paper))
    assert page.width == pytest.approx(width * MM, abs=0.01)
    assert page.height == pytest.approx(width * MM * 297 / 210, abs=0.01)
    assert page.codes(150) == [url]
    side, _ = qr_runs(url)
    assert quiet_zone(page, side) >= 4


def test_a_poster_says_all_its_words():
    [page] = read_pages(draw_poster(POSTER, "a4"))
    said = page.words.replace("\n", "")
    for words in (POSTER.owner, POSTER.title, POSTER.promise, POSTER.call, JOIN):
        assert words in said
    for words in (*POSTER.steps, *POSTER.notes):
        assert words in said


def test_a_poster_without_a_reward_or_letters_has_no_hole():
    bare = replace(POSTER, promise="", letters="", steps=(), notes=())
    [page] = read_pages(draw_poster(bare, "a4"))
    assert [t.words for t in page.texts] == [bare.owner, bare.title, bare.call]


@pytest.mark.parametrize(
    ("owner", "title"),
    [
        ("店" * 110, "札" * 80),
        ("W" * 110, "Ω" * 80),
        ("カフェ☕️🌸" * 20, "𠮷" * 40),
        ("\x00\n\t", "👨‍👩‍👧"),
        ("(a) \\ ((b", ") \\101"),
    ],
)
@pytest.mark.parametrize("paper", ["a4", "a6"])
def test_any_names_stay_on_the_paper(owner, title, paper):
    long = replace(POSTER, owner=owner, title=title, steps=(owner,), notes=(title,) * 2)
    [page] = read_pages(draw_poster(long, paper))
    assert page.codes(150) == [JOIN]
    for text in page.texts:
        assert 0 <= text.x < page.width
        assert 0 < text.y < page.height
        assert "�" not in text.words


def test_the_latin_letters_of_names_come_out_as_typed():
    [page] = read_pages(draw_poster(replace(POSTER, owner=r"a(b)\c) é"), "a4"))
    assert page.texts[0].words == r"a(b)\c) é"


@pytest.mark.parametrize("foreground", ["#FFFFFF", "#F7D9DF", "#000000"])
def test_words_on_the_cards_colours_can_be_read(foreground):
    look = Look(background="#F7D9DF", foreground=foreground)
    [page] = read_pages(draw_poster(replace(POSTER, look=look), "a4"))
    used = page.colours
    assert used[0] == "#F7D9DF"
    assert contrast_ratio(used[1], "#F7D9DF") >= 4.5


# --- sheets ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, PER_PAGE - 1, PER_PAGE, PER_PAGE + 1])
def test_every_code_of_a_sheet_reads_back(count):
    pages = read_pages(draw_sheets(sheets(count)))
    assert len(pages) == -(-count // PER_PAGE)
    read = [code for page in pages for code in page.codes(200)]
    assert sorted(read) == [line_url(n) for n in range(count)]
    letters = [t.words for page in pages for t in page.texts if "-" in t.words]
    assert letters == [f"7K3Q-{n:04}" for n in range(count)]


def test_each_slip_says_what_it_is_worth_where_and_until_when():
    [page] = read_pages(draw_sheets(sheets(2)))
    for words in ("あおぞら珈琲 本店", "スタンプ2個", "2026/12/31まで"):
        assert [t.words for t in page.texts].count(words) == 2
    assert "秋のキャンペーン" in page.words
    assert "1/1" in page.words


def test_slips_keep_to_their_cells():
    shop = (
        "とても長い名前のお店で、五十文字くらいあるかもしれない二号店、駅前ビル地下一階"
    )
    [page] = read_pages(draw_sheets(sheets(24, shop=shop, worth="スタンプ50個")))
    left, width = 7.5 * MM, 65 * MM
    top, height = page.height - 12.5 * MM, 34 * MM
    cells = {}
    for text in page.texts:
        if text.y < top:
            column, row = int((text.x - left) // width), int((top - text.y) // height)
            cells.setdefault((column, row), []).append(text)
    assert len(cells) == 24
    for texts in cells.values():
        assert "".join(t.words for t in texts).startswith(shop)
    # The letters begin beyond the code's quiet zone.
    module = 26 / qr_runs(line_url(0))[0]
    beyond = (4 + 26 + 4 * module) * MM
    assert all((t.x - left) % width > beyond for ts in cells.values() for t in ts)


def test_a_thousand_codes_are_a_file_that_can_be_mailed():
    pdf = draw_sheets(sheets(1000, shop="店" * 50))
    assert len(pdf) < 1_000_000
    assert len(read_pages(pdf)) == 42


def test_the_same_words_are_the_same_file():
    assert draw_sheets(sheets(30)) == draw_sheets(sheets(30))
    assert draw_poster(POSTER, "a6") == draw_poster(POSTER, "a6")
    assert draw_poster(POSTER, "a6") != draw_poster(replace(POSTER, owner="x"), "a6")


def test_a_sheet_of_nothing_is_a_page():
    [page] = read_pages(draw_sheets(sheets(0)))
    assert page.codes() == []


# --- the QR code alone -----------------------------------------------------------


@pytest.mark.parametrize("url", [JOIN, line_url(1), "x" * 400])
def test_the_png_is_large_enough_for_print_and_has_no_words(url):
    image = Image.open(io.BytesIO(print_png(url)))
    side, _ = qr_runs(url)
    box = image.width // (side + 8)
    assert image.width == image.height == (side + 8) * box
    assert image.width >= PNG_SIDE
    assert image.mode == "1"
    grey = image.convert("L")
    assert grey.crop((0, 0, image.width, 4 * box)).getextrema() == (255, 255)
    [code] = zxingcpp.read_barcodes(grey)
    assert (code.text, code.ec_level) == (url, "M")


def test_more_than_a_code_holds_is_an_error():
    for draw in (qr_runs, print_png):
        with pytest.raises(ValueError):
            draw("x" * 4000)
