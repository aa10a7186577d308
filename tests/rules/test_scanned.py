"""What a scan is: each form as scanners and people write it, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.pass_codes import PassCode
from core.rules.scanned import CardCode, MemberCode, MemberNo, read_scanned

CARD = "7K3Q9FJ2XW1AB"
MEMBER = "M12345678ABCDEFG"
PASS = "T12345678901234"

FORMS = {
    CARD: CardCode(CARD),
    MEMBER: MemberCode("1234-5678", MEMBER),
    PASS: PassCode("1234-5678", "901234"),
    "12345678": MemberNo("1234-5678"),
}


@pytest.mark.parametrize("code", FORMS)
def test_a_code_is_read_however_it_is_written(code):
    wide = code.translate({n: n + 0xFEE0 for n in range(0x21, 0x7F)})
    middle = f"{code[:4]}-{code[4:]}"
    for text in (
        code,
        code.lower(),
        f"  {code}\n",
        wide,
        middle,
        middle.replace("-", "\u30fc"),
        middle.replace("-", "\u2212"),
        middle.replace("-", " "),
        f"https://stamps.example.jp/c/{code}",
        f"https://stamps.example.jp/c/{code}?lang=en",
    ):
        assert read_scanned(text) == FORMS[code], text


NONE = [
    "",
    "/c/",
    "/c/x",
    "花子",
    "1234",
    "1234-567",
    "1234-56789",
    "STAMP AB2345",
    "7K3Q9FJ2XW1ABC",
    "M12345678ABCDEFGH",
    "T123456789012345",
    "https://stamps.example.jp/w/abc",
    "",
]


@pytest.mark.parametrize("text", NONE)
def test_anything_else_is_none(text):
    assert read_scanned(text) is None


@given(st.text(max_size=250))
def test_no_text_whatever_breaks_it(text):
    found = read_scanned(text)
    assert found is None or isinstance(
        found, CardCode | MemberNo | MemberCode | PassCode
    )
