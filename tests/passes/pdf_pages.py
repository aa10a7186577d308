"""Reads PDFs as a printer would: the shapes of each page as a picture, and its words.

Enough of the format for what `passes.paper` writes: filled rectangles below
transformations, and text in Latin and in UCS-2.
"""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass, field

import zxingcpp
from PIL import Image, ImageDraw

_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_PAGE = re.compile(rb"/Type /Page\n")
_BOX = re.compile(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]")
_TOKEN = re.compile(rb"\((?:\\.|[^\\)])*\)|/\w+|[^\s()]+", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_FONT = re.compile(rb"/Encoding /UniJIS-UCS2-H /Name /(\w+)")

_ACTS = {
    "q": "save",
    "Q": "restore",
    "cm": "transform",
    "rg": "fill_with",
    "re": "rectangle",
    "f": "fill",
    "n": "begin",
    "Tf": "set_font",
    "Tm": "move_text",
    "Tj": "show",
}

Matrix = tuple[float, float, float, float]  # scale x, scale y, move x, move y


@dataclass
class Text:
    """A line of text: where its foot begins (points from the lower left), its size."""

    words: str
    x: float
    y: float
    size: float
    font: str


@dataclass
class Page:
    """What is on one page; sizes in points."""

    width: float
    height: float
    rects: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return "\n".join(text.words for text in self.texts)

    def picture(self, dpi: int = 300) -> Image.Image:
        """The page's shapes as a printer of this resolution lays them down."""
        k = dpi / 72
        image = Image.new(
            "RGB", (round(self.width * k), round(self.height * k)), "#FFF"
        )
        pen = ImageDraw.Draw(image)
        for x, y, w, h, colour in self.rects:
            top, left = (self.height - y - h) * k, x * k
            right, foot = (x + w) * k, (self.height - y) * k
            pen.rectangle(
                (round(left), round(top), round(right) - 1, round(foot) - 1), colour
            )
        return image

    def codes(self, dpi: int = 300) -> list[str]:
        """What a scanner reads on the page."""
        found = zxingcpp.read_barcodes(self.picture(dpi))
        return [code.text for code in found]


def read_pages(pdf: bytes) -> list[Page]:
    """All pages of a PDF."""
    wide = {name.decode() for name in _FONT.findall(pdf)}
    boxes = [tuple(map(float, match)) for match in _BOX.findall(pdf)]
    streams = [_unpacked(match) for match in _STREAM.findall(pdf)]
    assert len(boxes) == len(streams) == len(_PAGE.findall(pdf))
    return [
        _draw(Page(*box), stream, wide)
        for box, stream in zip(boxes, streams, strict=True)
    ]


def _unpacked(raw: bytes) -> bytes:
    return zlib.decompress(base64.a85decode(b"<~" + raw.strip(), adobe=True))


def _draw(page: Page, stream: bytes, wide: set[str]) -> Page:
    reader = _Reader(page, wide)
    for token in _TOKEN.findall(stream):
        reader.read(token)
    assert not reader.kept
    return page


class _Reader:
    """Follows the operators of one page; what an operator needs stands before it."""

    def __init__(self, page: Page, wide: set[str]) -> None:
        self.page, self.wide = page, wide
        self.now: Matrix = (1, 1, 0, 0)
        self.colour = "#000000"
        self.kept: list[tuple[Matrix, str]] = []
        self.waiting: list[tuple[float, float, float, float]] = []
        self.font, self.size, self.at = "", 0.0, (0.0, 0.0)
        self.stack: list[bytes] = []

    def read(self, token: bytes) -> None:
        if token[:1] in b"-.0123456789/([":
            self.stack.append(token)
            return
        word = token.decode("latin-1").replace("*", "")
        if word in _ACTS:
            act = getattr(self, _ACTS[word])
            act(*[float(n) for n in self.stack if re.fullmatch(rb"-?[\d.]+", n)])
        self.stack = []

    def save(self) -> None:
        self.kept.append((self.now, self.colour))

    def restore(self) -> None:
        self.now, self.colour = self.kept.pop()

    def transform(self, a: float, _b: float, _c: float, d: float, *move: float) -> None:
        x, y = self._place(*move)
        self.now = (self.now[0] * a, self.now[1] * d, x, y)

    def fill_with(self, *parts: float) -> None:
        self.colour = "#" + "".join(f"{round(n * 255):02X}" for n in parts)
        self.page.colours.append(self.colour)

    def rectangle(self, x: float, y: float, w: float, h: float) -> None:
        self.waiting.append((*self._place(x, y), w * self.now[0], h * self.now[1]))

    def fill(self) -> None:
        self.page.rects += [(*rect, self.colour) for rect in self.waiting]
        self.waiting = []

    def begin(self) -> None:
        self.waiting = []

    def set_font(self, size: float) -> None:
        self.font, self.size = self.stack[-2][1:].decode(), size

    def move_text(self, *matrix: float) -> None:
        self.at = (matrix[4], matrix[5])

    def show(self) -> None:
        words = _words(self.stack[-1], is_wide=self.font in self.wide)
        size = self.size * self.now[0]
        self.page.texts.append(Text(words, *self._place(*self.at), size, self.font))

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return x * self.now[0] + self.now[2], y * self.now[1] + self.now[3]


def _words(token: bytes, *, is_wide: bool) -> str:
    def letter(match: re.Match[bytes]) -> bytes:
        inner = match[1]
        if len(inner) == 3:
            return bytes([int(inner, 8)])
        return _NAMED.get(inner, inner)

    raw = _ESCAPE.sub(letter, token[1:-1])
    return raw.decode("utf-16-be" if is_wide else "cp1252")
