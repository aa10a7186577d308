"""Letters on paper: which can be printed, how wide they are, and where lines break.

No font travels with a PDF: its reader brings the Japanese one, which has the letters of
Adobe-Japan1 and no emoji. What it lacks is printed as 〓, the printers' own sign for a
letter that is missing: never left out in silence, and `unprintable` names it before.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

GOTHIC = "HeiseiKakuGo-W5"
LATIN, LATIN_BOLD, MONO = "Helvetica", "Helvetica-Bold", "Courier-Bold"
MISSING = "〓"
CUT_OFF = "…"

pdfmetrics.registerFont(UnicodeCIDFont(GOTHIC))

# Beyond what Japanese Windows writes, and in every Adobe-Japan1 font of these decades.
_MORE = frozenset("ĀāĒēĪīŌōŪūŒœŠšŽžŸŁł–—‘’“”•…€™♥")
_LATIN_1 = range(0xA1, 0x100)
_INSTEAD = str.maketrans({"❤": "♥", "\u00a0": " "})
# Joiners, variation selectors, skin tones and tags are parts of the sign before them.
_PART = re.compile(
    "[\u200b-\u200d\u2060\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0000-\U000e007f]"
)
_JOINED = re.compile(MISSING + "(?:\u200d" + MISSING + ")+")
# A line neither begins with the first nor ends with the second.
_NOT_FIRST = (
    "、。，．・：；！？」』】）〕］｝〉》ー〜～…々ゝゞ"
    "ァィゥェォッャュョヮヵヶぁぃぅぇぉっゃゅょゎ,.:;!?)]}%"
)
_NOT_LAST = "「『【（〔［｛〈《([{¥$"
_WORD = re.compile(r"[0-9A-Za-zÀ-ÿĀ-ſ'’&@#._/+-]+|\s+|.", re.DOTALL)
_STEPS = 12


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines that fit, at `size` (points) in `font`; a `heavy` one has no bold cut."""

    lines: tuple[str, ...]
    size: float
    font: str
    heavy: bool = False


def printable(text: str) -> str:
    """The text as it can be printed: one line, with 〓 for each sign that cannot."""
    text = unicodedata.normalize("NFC", text).translate(_INSTEAD)
    text = "".join(_sign(letter) for letter in text)
    text = _JOINED.sub(MISSING, text)
    return " ".join(_PART.sub("", text).split())


def unprintable(*texts: str) -> list[str]:
    """The signs that `printable` would replace, each once, in their order."""
    found: dict[str, None] = {}
    for text in texts:
        normal = unicodedata.normalize("NFC", text).translate(_INSTEAD)
        found |= dict.fromkeys(letter for letter in normal if _sign(letter) == MISSING)
    found.pop(MISSING, None)
    return list(found)


def font_of(text: str, *, bold: bool = False) -> str:
    """A Latin font where it has every letter, else the Japanese one."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return GOTHIC
    return LATIN_BOLD if bold else LATIN


def width_of(text: str, font: str, size: float) -> float:
    """How wide a line is, in points."""
    return float(pdfmetrics.stringWidth(text, font, size))


def fit(
    text: str,
    width: float,
    *,
    most: float,
    least: float,
    lines: int = 1,
    bold: bool = False,
) -> Fitted:
    """The text as large as it goes (`most` to `least` points) on so many lines.

    What does not fit even at the least size is cut off with "…".
    """
    text = printable(text)
    font = font_of(text, bold=bold)
    heavy = bold and font == GOTHIC
    broken: list[str] = []
    for step in range(_STEPS + 1):
        size = most - (most - least) * step / _STEPS
        broken = wrap(text, width, font, size)
        if len(broken) <= lines:
            return Fitted(tuple(broken), size, font, heavy)
    blank = "" if font == GOTHIC else " "
    kept, rest = broken[: lines - 1], blank.join(broken[lines - 1 :])
    return Fitted((*kept, _cut(rest, width, font, least)), least, font, heavy)


def wrap(text: str, width: float, font: str, size: float) -> list[str]:
    """The text in lines of at most `width` points; words stay whole where they can."""
    lines, line = [], ""
    for word in _words(text):
        if width_of((line + word).rstrip(), font, size) <= width:
            line += word
            continue
        if line.strip():
            lines.append(line.rstrip())
        *whole, line = _pieces(word.lstrip(), width, font, size)
        lines += whole
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _sign(letter: str) -> str:
    if letter.isspace():
        return " "
    if _PART.match(letter) or letter in _MORE or ord(letter) in _LATIN_1:
        return letter
    if not letter.isprintable():
        return MISSING
    try:
        letter.encode("cp932")
    except UnicodeEncodeError:
        return MISSING
    return letter


def _words(text: str) -> list[str]:
    """What is not torn apart: Latin words, and letters with their marks."""
    words: list[str] = []
    for part in _WORD.findall(text):
        sticks = words and (part[0] in _NOT_FIRST or words[-1][-1] in _NOT_LAST)
        if sticks:
            words[-1] += part
        else:
            words.append(part)
    return words


def _pieces(word: str, width: float, font: str, size: float) -> list[str]:
    """A word that may be wider than a line, in pieces that are not."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and width_of(pieces[-1] + letter, font, size) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _cut(text: str, width: float, font: str, size: float) -> str:
    while text and width_of(text + CUT_OFF, font, size) > width:
        text = text[:-1]
    return text.rstrip() + CUT_OFF
