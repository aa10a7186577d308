"""What staff scan or type of a customer: a card's URL, its code, a number. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from core.rules import member_codes
from core.rules.pass_codes import PassCode, read_pass_code

_URL = re.compile(r"/c/([0-9A-Za-z]{1,16})")
_CARD = re.compile(r"[0-9A-Z]{13}")
_NUMBER = re.compile(r"([0-9]{4})([0-9]{4})")
# People and scanners put blanks and all kinds of hyphens between letters.
_BETWEEN = re.compile(r"[\s\-\u2010\u2212\u30fc]")


@dataclass(frozen=True, slots=True)
class CardCode:
    """The code of one card, which stays."""

    code: str


@dataclass(frozen=True, slots=True)
class MemberNo:
    """A member number, as it is printed and typed."""

    number: str


@dataclass(frozen=True, slots=True)
class MemberCode:
    """The code of a 会員証 page, which changes."""

    number: str
    code: str


Scanned = CardCode | MemberNo | MemberCode | PassCode


def read_scanned(text: str) -> Scanned | None:
    """What a scan is, or what was typed; None for what can be none of these."""
    plain = unicodedata.normalize("NFKC", text).strip()
    url = _URL.search(plain)
    code = _BETWEEN.sub("", url[1] if url else plain).upper()
    if number := _NUMBER.fullmatch(code):
        return MemberNo(f"{number[1]}-{number[2]}")
    if _CARD.fullmatch(code):
        return CardCode(code)
    if (whose := member_codes.number_in(code)) is not None:
        return MemberCode(whose, code)
    return read_pass_code(code)
