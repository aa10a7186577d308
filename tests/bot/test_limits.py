"""Lengths as LINE counts them, and cuts that break no character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.limits import clusters, cut_label, cut_text, utf16_length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", ["a", "b", "c"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("ｶﾞﾊﾟ", ["ｶﾞ", "ﾊﾟ"]),
        ("e\u0301", ["e\u0301"]),
        ("👨‍👩‍👧‍👦!", ["👨‍👩‍👧‍👦", "!"]),
        ("👋🏽a", ["👋🏽", "a"]),
        ("🇯🇵🇺🇸", ["🇯🇵", "🇺🇸"]),
        ("☕\ufe0fx", ["☕\ufe0f", "x"]),
        ("1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),
        ("\u1112\u1161\u11ab글", ["\u1112\u1161\u11ab", "글"]),
        ("葛\U000e0100城", ["葛\U000e0100", "城"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("🏴\U000e0067\U000e0062\U000e007f", ["🏴\U000e0067\U000e0062\U000e007f"]),
    ],
)
def test_a_cluster_is_what_a_reader_takes_for_one_character(
    text: str, expected: list[str]
):
    assert clusters(text) == expected


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_text_is_cut_to_utf16_units_between_characters(text: str, limit: int):
    cut = cut_text(text, limit)
    assert utf16_length(cut) <= limit
    assert utf16_length(cut) == len(cut.encode("utf-16-le", "surrogatepass")) // 2
    if cut != text:
        kept = cut.removesuffix("…")
        starts = ["".join(clusters(text)[:n]).rstrip() for n in range(len(text) + 1)]
        assert kept in starts


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_label_is_cut_to_characters(text: str, limit: int):
    cut = cut_label(text, limit)
    assert len(clusters(cut)) <= limit
    assert cut == text or text.startswith(cut.removesuffix("…"))
    assert "".join(clusters(text)) == text


def test_emoji_count_twice_in_a_text_and_once_in_a_label():
    assert utf16_length("🎁a") == 3
    assert cut_text("🎁🎁🎁", 5) == "🎁🎁…"
    assert cut_text("🎁🎁🎁", 6) == "🎁🎁🎁"
    assert cut_label("🎁🎁🎁", 3) == "🎁🎁🎁"
    assert cut_label("🎁🎁🎁", 2) == "🎁…"
