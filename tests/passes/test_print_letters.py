"""What can be printed, how wide it is, and where lines break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.paper.letters import (
    GOTHIC,
    LATIN,
    LATIN_BOLD,
    MISSING,
    fit,
    font_of,
    printable,
    unprintable,
    width_of,
    wrap,
)

SIGNS = st.text(st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize(
    ("text", "printed", "missing"),
    [
        ("あおぞら珈琲 髙﨑店①㈱", "あおぞら珈琲 髙﨑店①㈱", []),
        ("Zürich Ōsaka — “A” €5™", "Zürich Ōsaka — “A” €5™", []),
        ("カフェ☕️ひだまり🌸", "カフェ〓ひだまり〓", ["☕", "🌸"]),
        ("𠮷野家", "〓野家", ["𠮷"]),
        ("한국", "〓〓", ["한", "국"]),
        ("👨‍👩‍👧です👍🏽", "〓です〓", ["👨", "👩", "👧", "👍"]),
        ("か\u3099", "が", []),
        ("❤️", "♥", []),
        ("一\u3000二\n三\t四", "一 二 三 四", []),
        ("a\x00b\x1b", "a〓b〓", ["\x00", "\x1b"]),
        ("〓", "〓", []),
        ("", "", []),
    ],
)
def test_what_cannot_be_printed_leaves_a_mark_and_is_named(text, printed, missing):
    assert printable(text) == printed
    assert unprintable(text) == missing


def test_each_sign_is_named_once_over_all_texts():
    assert unprintable("🌸店🌸", "店", "☕🌸") == ["🌸", "☕"]


@given(SIGNS)
def test_whatever_is_typed_becomes_one_line_that_stays_as_it_is(text):
    printed = printable(text)
    assert printable(printed) == printed
    assert printed == " ".join(printed.split())
    assert max((ord(letter) for letter in printed), default=0) < 0x10000
    assert (MISSING in printed) >= bool(unprintable(text))


@pytest.mark.parametrize(
    ("text", "bold", "font"),
    [
        ("2 stamps, Zürich", False, LATIN),
        ("2 stamps", True, LATIN_BOLD),
        ("スタンプ2個", True, GOTHIC),
        ("Ōsaka", False, GOTHIC),
    ],
)
def test_latin_words_have_a_latin_font(text, bold, font):
    assert font_of(text, bold=bold) == font
    assert fit(text, 500, most=10, least=10, bold=bold).heavy == (
        bold and font == GOTHIC
    )


@given(SIGNS, st.integers(12, 300), st.booleans())
def test_no_line_is_wider_than_its_box_and_nothing_is_lost(text, width, bold):
    text = printable(text)
    font = font_of(text, bold=bold)
    lines = wrap(text, width, font, 10)
    assert all(width_of(line, font, 10) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(SIGNS, st.integers(40, 300), st.integers(1, 3))
def test_what_is_fitted_keeps_its_lines_its_sizes_and_its_width(text, width, lines):
    fitted = fit(text, width, most=20, least=6, lines=lines)
    assert len(fitted.lines) <= lines
    assert 6 <= fitted.size <= 20
    for line in fitted.lines:
        assert width_of(line, fitted.font, fitted.size) <= width + 0.01
    whole = "".join("".join(fitted.lines).split())
    text = "".join(printable(text).split())
    if not whole.endswith("…"):
        assert whole == text
    else:
        assert text.startswith(whole[:-1])


def test_what_fits_is_as_large_as_it_may_be_and_shrinks_before_it_is_cut():
    assert fit("店", 200, most=20, least=6).size == 20
    long = fit("店" * 50, 200, most=20, least=6, lines=2)
    assert 6 <= long.size < 20
    assert "".join(long.lines) == "店" * 50
    assert fit("店" * 500, 200, most=20, least=6, lines=2).lines[-1].endswith("…")


def test_words_stay_whole_and_lines_begin_and_end_as_in_print():
    font = GOTHIC
    assert wrap("読んで hello world", 62, font, 10) == ["読んで hello", "world"]
    for width in range(20, 200, 7):
        for line in wrap("「送信」を、押してください。いいえっ!", width, font, 10):
            if width > 60:
                assert line[0] not in "、。」っ!"
                assert line[-1] != "「"
