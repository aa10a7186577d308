"""Sheets of slips to cut apart, each with a code that is good once: A4, three by eight.

What does not change from slip to slip is fitted once, so that a thousand take a second
or two and a few hundred kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.rules.types import Language
from passes.paper.letters import MONO, Fitted, fit, printable, width_of
from passes.paper.pen import MM, Pen, height_of

COLUMNS, ROWS = 3, 8
PER_PAGE = COLUMNS * ROWS

_WIDTH, _HEIGHT = 210.0, 297.0
_SIDE, _TOP = 7.5, 12.5  # no printer reaches the edge
_CELL_W = (_WIDTH - 2 * _SIDE) / COLUMNS
_CELL_H = (_HEIGHT - 2 * _TOP) / ROWS
_QR = 26.0
_QR_LEFT = 4.0
_TEXT_LEFT = _QR_LEFT + _QR + 3.5
_TEXT_W = (_CELL_W - _TEXT_LEFT - 2.5) * MM
_INK, _QUIET = "#17211E", "#4A5550"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """One code: what its QR code says, and the letters to type instead."""

    qr: str
    letters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """Slips with the same words: `shop`, `worth` large, `until` and `how` small.

    `name` and the page's number stand on the edge that is cut off.
    """

    language: Language
    name: str
    shop: str
    worth: str
    until: str
    how: str
    slips: Sequence[Slip]


def draw_sheets(sheets: Sheets) -> bytes:
    """The PDF, one page at least. Raises ValueError for a QR code that is too full."""
    title = printable(sheets.name) or "codes"
    pen = Pen(_WIDTH, _HEIGHT, title=title, language=sheets.language)
    words = _Words.of(sheets)
    pages = max(1, -(-len(sheets.slips) // PER_PAGE))
    for page in range(pages):
        if page:
            pen.next_page()
        here = sheets.slips[page * PER_PAGE : (page + 1) * PER_PAGE]
        _draw_edge(pen, sheets, f"{page + 1}/{pages}")
        _draw_cuts(pen, -(-len(here) // COLUMNS))
        for slip, (x, y) in zip(here, _places(), strict=False):
            _draw_slip(pen, words, slip, x, y)
    return pen.finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    above: tuple[Fitted, ...]
    below: tuple[Fitted, ...]
    letters_size: float

    @classmethod
    def of(cls, sheets: Sheets) -> _Words:
        longest = max((s.letters for s in sheets.slips), key=len, default="")
        wide = width_of(longest, MONO, 1)
        return cls(
            above=(
                fit(sheets.shop, _TEXT_W, most=8, least=5, lines=3),
                fit(sheets.worth, _TEXT_W, most=14, least=7, bold=True),
            ),
            below=tuple(
                fit(text, _TEXT_W, most=7, least=5, lines=2)
                for text in (sheets.until, sheets.how)
                if text
            ),
            letters_size=min(11, _TEXT_W / wide) if wide else 11,
        )


def _places() -> Iterator[tuple[float, float]]:
    for row in range(ROWS):
        for column in range(COLUMNS):
            yield _SIDE + column * _CELL_W, _TOP + row * _CELL_H


def _draw_slip(pen: Pen, words: _Words, slip: Slip, x: float, y: float) -> None:
    pen.qr(x + _QR_LEFT, y + (_CELL_H - _QR) / 2, _QR, slip.qr)
    letters = Fitted((slip.letters,), words.letters_size, MONO)
    parts = [*words.above, letters, *words.below]
    top = y + (_CELL_H - sum(map(height_of, parts))) / 2
    for part in parts:
        colour = _QUIET if part in words.below else _INK
        top = pen.words(x + _TEXT_LEFT, top, part, colour)


def _draw_cuts(pen: Pen, rows: int) -> None:
    left, right = _SIDE, _WIDTH - _SIDE
    foot = _TOP + rows * _CELL_H
    for column in range(COLUMNS + 1):
        x = left + column * _CELL_W
        pen.cut(x, _TOP, x, foot)
    for row in range(rows + 1):
        y = _TOP + row * _CELL_H
        pen.cut(left, y, right, y)


def _draw_edge(pen: Pen, sheets: Sheets, page: str) -> None:
    wide = (_WIDTH - 2 * _SIDE - 20) * MM
    pen.words(_SIDE, 5, fit(sheets.name, wide, most=9, least=6), _QUIET)
    pen.words(_WIDTH - _SIDE - 14, 5, fit(page, 14 * MM, most=9, least=6), _QUIET)
