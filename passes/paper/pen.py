"""A pen for one PDF: millimetres from the upper left, lines of text, QR codes."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from core.rules.types import Language
from passes.paper.letters import Fitted, width_of
from passes.paper.modules import qr_runs

MM = 72 / 25.4
LEADING = 1.3
# From a line's top to its foot, in sizes: the letters stand in the middle of the line.
_FOOT = 0.5 * LEADING + 0.36

# How thick the edge of a letter is drawn that has no bold cut, in sizes.
_HEAVY = 0.035

Align = Literal["left", "centre"]


class Pen:
    """Draws pages of one size; `scale` makes everything of them smaller or larger.

    The same strokes make the same bytes: no date, no name of a machine is in them.
    """

    def __init__(
        self,
        width: float,
        height: float,
        *,
        title: str,
        language: Language,
        scale: float = 1,
    ) -> None:
        self._stream = BytesIO()
        self._height = height
        self._scale = scale
        self._canvas = Canvas(
            self._stream,
            pagesize=(width * MM * scale, height * MM * scale),
            invariant=1,
            pageCompression=1,
            lang=language,
        )
        self._canvas.setTitle(title)
        self._canvas.setAuthor("")
        self._canvas.setCreator("stampcard")
        self._canvas.setSubject("")
        self._begin()

    def next_page(self) -> None:
        """Go on with an empty page."""
        self._canvas.showPage()
        self._begin()

    def finish(self) -> bytes:
        """The file."""
        self._canvas.showPage()
        self._canvas.save()
        return self._stream.getvalue()

    def box(
        self, x: float, y: float, w: float, h: float, colour: str, *, round_: float = 0
    ) -> None:
        """A filled rectangle, its corners `round_` millimetres round."""
        self._canvas.setFillColor(HexColor(colour))
        foot, radius = self._foot(y + h), round_ * MM
        shape = (x * MM, foot, w * MM, h * MM)
        if radius:
            self._canvas.roundRect(*shape, radius, stroke=0, fill=1)
        else:
            self._canvas.rect(*shape, stroke=0, fill=1)

    def cut(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A thin dashed line to cut along."""
        self._canvas.setStrokeColor(HexColor("#8A8A8A"))
        self._canvas.setLineWidth(0.4)
        self._canvas.setDash(2, 2)
        self._canvas.line(x1 * MM, self._foot(y1), x2 * MM, self._foot(y2))
        self._canvas.setDash()

    def words(
        self,
        x: float,
        y: float,
        fitted: Fitted,
        colour: str,
        *,
        align: Align = "left",
    ) -> float:
        """Lines below `y`, from `x` to the right or around it; where they end."""
        self._canvas.setFillColor(HexColor(colour))
        self._canvas.setFont(fitted.font, fitted.size)
        if fitted.heavy:
            self._canvas.setStrokeColor(HexColor(colour))
            self._canvas.setLineWidth(_HEAVY * fitted.size)
        top = y * MM
        for line in fitted.lines:
            wide = width_of(line, fitted.font, fitted.size)
            left = x * MM - (wide / 2 if align == "centre" else 0)
            foot = self._height * MM - top - _FOOT * fitted.size
            self._canvas.drawString(left, foot, line, mode=2 if fitted.heavy else 0)
            top += LEADING * fitted.size
        return top / MM

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """A black QR code, `side` millimetres without its quiet zone.

        Whoever draws leaves four modules white around it.
        """
        modules, runs = qr_runs(text)
        self._canvas.saveState()
        self._canvas.setFillColor(HexColor("#000000"))
        self._canvas.translate(x * MM, self._foot(y + side))
        self._canvas.scale(side * MM / modules, side * MM / modules)
        # One path for all: seams between single shapes show on some printers.
        path = self._canvas.beginPath()
        for column, row, length in runs:
            path.rect(column, modules - row - 1, length, 1)
        self._canvas.drawPath(path, stroke=0, fill=1)
        self._canvas.restoreState()

    def _begin(self) -> None:
        if self._scale != 1:
            self._canvas.scale(self._scale, self._scale)

    def _foot(self, y: float) -> float:
        return (self._height - y) * MM


def height_of(fitted: Fitted) -> float:
    """How high `Pen.words` draws these lines, in millimetres."""
    return len(fitted.lines) * LEADING * fitted.size / MM
