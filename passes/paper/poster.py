"""A poster with one QR code, as A4 for the wall or A6 for the counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.rules.colours import legible
from core.rules.types import Language, Look
from passes.paper.letters import MONO, Fitted, fit, printable, width_of
from passes.paper.pen import MM, Pen, height_of

Paper = Literal["a4", "a6"]

# A6 is A4 at half its sides: whatever is readable there at one glance is so here near.
SCALES: dict[Paper, float] = {"a4": 1, "a6": 0.5}

_WIDTH, _HEIGHT = 210.0, 297.0
_MARGIN = 16.0
_HEAD = 78.0
_QR_TOP, _QR = 113.0, 108.0
_INK, _QUIET, _GROUND = "#17211E", "#4A5550", "#FFFFFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """What stands on a poster, in words: `owner` and `title` on the card's colours,
    `call` above the QR code, `steps` and `notes` below it.

    `letters` is what to type where there is no camera, or "".
    """

    language: Language
    look: Look
    owner: str
    title: str
    promise: str
    call: str
    qr: str
    letters: str
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()


def draw_poster(poster: Poster, paper: Paper) -> bytes:
    """The PDF. Raises ValueError where `qr` is too long for a QR code."""
    title = printable(f"{poster.owner} {poster.title}")
    pen = Pen(
        _WIDTH, _HEIGHT, title=title, language=poster.language, scale=SCALES[paper]
    )
    _draw_head(pen, poster)
    call = fit(poster.call, _wide(), most=30, least=15, bold=True)
    pen.words(_WIDTH / 2, _HEAD + 4, call, _INK, align="centre")
    pen.qr((_WIDTH - _QR) / 2, _QR_TOP, _QR, poster.qr)
    _draw_foot(pen, poster, _QR_TOP + _QR + 16)
    return pen.finish()


def _draw_head(pen: Pen, poster: Poster) -> None:
    ground = poster.look.background
    ink = legible(poster.look.foreground, ground)
    pen.box(0, 0, _WIDTH, _HEAD, ground)
    parts = [
        fit(poster.owner, _wide(), most=20, least=11, lines=2),
        fit(poster.title, _wide(), most=46, least=18, lines=2, bold=True),
    ]
    if poster.promise:
        parts.append(fit(poster.promise, _wide(), most=20, least=11, lines=2))
    gaps = 3.0
    top = (_HEAD - sum(map(height_of, parts)) - gaps * (len(parts) - 1)) / 2
    for part in parts:
        top = pen.words(_WIDTH / 2, top, part, ink, align="centre") + gaps


def _draw_foot(pen: Pen, poster: Poster, top: float) -> None:
    if poster.letters:
        letters = _in_mono(poster.letters, _wide(), most=19)
        top = pen.words(_WIDTH / 2, top, letters, _INK, align="centre") + 2.5
    # In one column from one left edge: steps read badly around a middle line.
    steps = [fit(step, _wide() - 8, most=17, least=10) for step in poster.steps]
    size = min((step.size for step in steps), default=10)
    even = [Fitted(step.lines, size, step.font) for step in steps]
    widths = [width_of(line, s.font, s.size) for s in even for line in s.lines]
    left = (_WIDTH - max(widths, default=0) / MM) / 2
    for step in even:
        top = pen.words(left, top, step, _INK) + 1
    top += 2
    for note in poster.notes:
        fitted = fit(note, _wide(), most=12, least=8, lines=2)
        top = pen.words(_WIDTH / 2, top, fitted, _QUIET, align="centre") + 0.5


def _in_mono(text: str, width: float, *, most: float) -> Fitted:
    """Letters to type, one like the other, on one line however long."""
    size = min(most, most * width / max(width_of(text, MONO, most), 1))
    return Fitted((text,), size, MONO)


def _wide() -> float:
    return (_WIDTH - 2 * _MARGIN) * MM
