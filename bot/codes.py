"""Finds the till code in what a customer wrote, however it was typed. Pure.

A code is eight letters of Crockford's base 32 (https://www.crockford.com/base32.html)
or its six-digit twin. It may be full-width, in lower case, with O for 0 and I or L
for 1, broken by spaces or hyphens, and with any words before it. What is shaped like
ordinary words or numbers counts as a code only where it cannot be anything else:
after a word such as STAMP or コード, or as the whole message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from core.vault import CROCKFORD

LETTERS = 8
DIGITS = 6

_ALIKE = str.maketrans("OIL", "011")
_LONGEST_TEXT = 1000

# What looks like a hyphen on some keyboard; ー and 一 are what Japanese ones offer.
_HYPHENS = "_\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff70\u4e00-"
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_RUN = re.compile(rf"[0-9A-Za-z]+(?:[\s{_HYPHENS}]+[0-9A-Za-z]+)*")
_CHUNK = re.compile(r"[0-9A-Za-z]+")
_MARKER = re.compile(r"STAMPS?|CODE", re.IGNORECASE)
_MARKED_BEFORE = re.compile(
    "(?:スタンプ|すたんぷ|コード|こーど|(?<![一-龥])番号|(?<![A-Za-z])(?:STAMPS?|CODE))"
    "[^0-9A-Za-z]{0,4}$",
    re.IGNORECASE,
)
# Eight letters that a guest may well write for what they mean, alone or together.
_WORDS = re.compile(
    "CARDS?|HELP|HISTORY|MEMBER|MY|PLEASE|REWARDS?|STAMPS?|COUPONS?|VOUCHER|THE|SHOW|GET"
    "|ALLERGEN|ALLERGIC|BIRTHDAY|CALORIES|DELIVERY|ESPRESSO|HOLIDAYS|JAPANESE|LOCATION"
    "|PASSWORD|REGISTER|SERVICES|TAKEAWAY|TOMORROW"
)
_LETTERS_THEN_DIGITS = re.compile(r"[A-Z]+[0-9]+")


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring words of plain letters and digits, as typed (after NFKC)."""

    chunks: tuple[str, ...]
    is_marked: bool
    is_whole: bool


def find_code(text: str) -> str | None:
    """The code in `text`, in the till's own spelling (A-Z, 0-9), or None.

    A near miss that was plainly meant as a code comes back as it was typed, in upper
    case, so that the customer hears that it is not known.
    """
    text = unicodedata.normalize("NFKC", text[:_LONGEST_TEXT])
    text = _INVISIBLE.sub("", text).strip()
    runs = list(_runs(text))
    for find in (_code, _near_miss):
        for run in runs:
            if (found := find(run)) is not None:
                return found
    return None


def _runs(text: str) -> Iterator[_Run]:
    for found in _RUN.finditer(text):
        chunks = tuple(_CHUNK.findall(found.group()))
        is_whole = found.group() == text.strip(_HYPHENS + " \t\r\n.!。、")
        is_marked = _MARKED_BEFORE.search(text[: found.start()]) is not None
        markers = [i for i, chunk in enumerate(chunks) if _MARKER.fullmatch(chunk)]
        if markers:
            # The code may itself begin with STAMP: only what follows the first counts.
            first = markers[0]
            yield _Run(chunks[first + 1 :], is_marked=True, is_whole=False)
            chunks, is_whole = chunks[:first], False
        yield _Run(chunks, is_marked=is_marked, is_whole=is_whole)


def _code(run: _Run) -> str | None:
    if run.is_marked or run.is_whole:
        found = _from_start(run, LETTERS) or _from_start(run, DIGITS)
        if found is not None:
            return found
    for size in (1, 2):
        for start in range(len(run.chunks) - size, -1, -1):
            found = _in_a_sentence(run.chunks[start : start + size])
            if found is not None:
                return found
    return None


def _from_start(run: _Run, length: int) -> str | None:
    """The first chunks together, when they make exactly `length`."""
    for end in range(1, len(run.chunks) + 1):
        typed = "".join(run.chunks[:end])
        if len(typed) < length:
            continue
        if len(typed) > length or (run.is_whole and end < len(run.chunks)):
            return None
        return None if _reads_as_words(run, end) else _spelled(typed, length)
    return None


def _reads_as_words(run: _Run, end: int) -> bool:
    typed = "".join(run.chunks[:end])
    if not typed.isalpha():
        return False
    if any(_WORDS.fullmatch(chunk.upper()) for chunk in run.chunks[:end]):
        return True
    return end > 1 and not run.is_marked and not typed.isupper()


def _in_a_sentence(chunks: tuple[str, ...]) -> str | None:
    """A code among other words: letters and digits must be mixed as no word mixes."""
    typed = "".join(chunks)
    if len(typed) != LETTERS or typed.isalpha() or typed.isdecimal():
        return None
    if _is_word_and_number(typed):
        return None
    if len(chunks) > 1 and not _is_cut_in_half(chunks):
        return None
    return _spelled(typed, LETTERS)


def _is_word_and_number(typed: str) -> bool:
    # iPhone15 is a word with a number; IPHONE15 in capitals may well be a code.
    return not typed.isupper() and bool(_LETTERS_THEN_DIGITS.fullmatch(typed.upper()))


def _is_cut_in_half(chunks: tuple[str, ...]) -> bool:
    is_mixed = any(not c.isalpha() and not c.isdecimal() for c in chunks)
    return is_mixed and {len(chunk) for chunk in chunks} == {LETTERS // 2}


def _near_miss(run: _Run) -> str | None:
    if not (run.is_marked or run.is_whole):
        return None
    typed = "".join(run.chunks).upper()
    n_digits = sum(character.isdecimal() for character in typed)
    if not LETTERS - 1 <= len(typed) <= LETTERS + 1 or n_digits < 2:  # noqa: PLR2004 -- one digit also occurs in words
        return None
    if len(run.chunks) > 1 and not run.is_marked:
        return None
    return None if n_digits == len(typed) and not run.is_marked else typed


def _spelled(typed: str, length: int) -> str | None:
    code = typed.upper().translate(_ALIKE)
    if length == DIGITS:
        # O for 0 happens in a number too, but a word of O, I and L is no number.
        n_digits = sum(character.isdecimal() for character in typed)
        return code if code.isdecimal() and n_digits > DIGITS // 2 else None
    return code if all(character in CROCKFORD for character in code) else None
