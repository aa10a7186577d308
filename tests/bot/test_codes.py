"""A code is found however it is written, and ordinary words are left alone."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.codes import find_code
from core.vault import CROCKFORD

CODES = st.text(CROCKFORD, min_size=8, max_size=8)
DIGITS = st.text("0123456789", min_size=6, max_size=6)
BEFORE = st.sampled_from(
    [
        "STAMP ",
        "stamp:",
        "ＳＴＡＭＰ　",
        "スタンプ ",
        "ｽﾀﾝﾌﾟ",
        "コード:",
        "コードは「",
        "Stamp\n",
    ]
)
AFTER = st.sampled_from(["", "。", "です", "」です", " ", "\n", "!", "をお願いします"])
GAPS = st.lists(
    st.sampled_from(
        ["", "", " ", "-", "\u3000", " - ", "－", "ー", "‐", "\n", "\u200b"]
    ),
    min_size=7,
    max_size=7,
)
FULL_WIDTH = str.maketrans(
    {c: chr(ord(c) + 0xFEE0) for c in string.ascii_letters + string.digits}
)


@st.composite
def disguised(draw: st.DrawFn, code: str) -> str:
    letters = []
    for letter in code:
        alike = {"0": "0Oo", "1": "1IiLl"}.get(letter, letter)
        shown = draw(st.sampled_from(alike))
        if draw(st.booleans()):
            shown = shown.lower()
        letters.append(shown.translate(FULL_WIDTH) if draw(st.booleans()) else shown)
    gaps = [*draw(GAPS), ""]
    return "".join(a + b for a, b in zip(letters, gaps, strict=True))


@given(st.data(), CODES, BEFORE, AFTER)
def test_a_code_after_a_word_for_it_is_found_in_every_disguise(
    data: st.DataObject, code: str, before: str, after: str
):
    written = data.draw(disguised(code))
    # Split so that a word stands in it, "CARD AB12", it is taken for that word.
    assume(not code.isalpha() or not set(" -\n\u3000－ー‐") & set(written))
    assert find_code(before + written + after) == code


@given(st.data(), CODES)
def test_a_code_alone_is_found_in_every_disguise(data: st.DataObject, code: str):
    assume(any(letter.isdecimal() and letter not in "01" for letter in code))
    assert find_code(data.draw(disguised(code))) == code


@given(CODES, st.sampled_from([str, str.lower, lambda c: f"{c[:4]}-{c[4:]}"]))
def test_a_code_alone_may_be_all_letters_or_all_digits(code: str, write):
    assert find_code(write(code)) == code


@given(
    CODES,
    st.sampled_from(["COFFEE ", "コーヒー券 ", "来店:", "Thanks! ", "あおぞら珈琲\n"]),
    AFTER,
)
def test_the_words_before_may_be_the_merchant_s(code: str, before: str, after: str):
    assume(not code.isalpha() and not code.isdecimal())
    assert find_code(before + code + after) == code


@given(st.data(), DIGITS, BEFORE, AFTER)
def test_the_six_digits_are_found_too(
    data: st.DataObject, digits: str, before: str, after: str
):
    gap = data.draw(st.sampled_from(["", " ", "-"]))
    written = digits[:3] + gap + digits[3:]
    assert find_code(before + written + after) == digits
    assert find_code(written.translate(FULL_WIDTH)) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "こんにちは",
        "何時まで開いてますか?",
        "スタンプが付いていない",
        "スタンプ",
        "スタンプ10個たまりました",
        "10個ください",
        "合計123456円でした",
        "注文番号123456の件です",
        "電話番号は0312345678です",
        "電話は03-1234-5678です",
        "11/23 15:00に2名で予約できますか",
        "〒150-0001 東京都渋谷区1-2-3",
        "https://example.jp/menu/2026",
        "I have 10 stamps",
        "Are you open at 10 am?",
        "how many stamps do I have",
        "Stamp card here please",
        "very nice",
        "thank you so much",
        "takeaway",
        "birthday",
        "my iPhone15 is broken",
        "stamps 10",
        "CODE",
        "code please",
        "See you 2nite 8pm",
        "😀😀😀😀😀😀😀😀",
    ],
)
def test_ordinary_words_are_no_code(text: str):
    assert find_code(text) is None


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("STAMP 7K3Q9FJ", "7K3Q9FJ"),
        ("stamp 7k3q9fj2x", "7K3Q9FJ2X"),
        ("7K3U9FJ2", "7K3U9FJ2"),
        ("スタンプ 1234567", "1234567"),
    ],
)
def test_a_near_miss_comes_back_as_it_was_typed(text: str, typed: str):
    assert find_code(text) == typed


@given(st.text())
def test_no_text_breaks_it(text: str):
    found = find_code(text)
    assert found is None or 6 <= len(found) <= 9


def test_a_very_long_text_is_read_in_no_time():
    assert find_code("A-" * 100_000) is None
