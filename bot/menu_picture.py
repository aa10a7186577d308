"""The picture of the rich menu: four signs in the card's colours, and no words.

A bare installation has no font with Japanese letters, and a menu with boxes for words
is worse than one without. What each sign does is said by the area's label and by what
the tap writes into the chat.
https://developers.line.biz/en/reference/messaging-api/#upload-rich-menu-image
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw

from core.rules.colours import legible, mix
from core.rules.glyphs import BOX, FALLBACK, GLYPHS, Point, glyph_polygons
from core.rules.types import Look

WIDTH, HEIGHT = 2500, 843
COLUMNS = 4
MOST_BYTES = 1024 * 1024

# Smooth edges: drawn at twice the size, then averaged.
_SAMPLES = 2
_MARGIN = 44
_CORNER = 56
_SIGN = 400  # pixels, the height of a sign
_LINE = 26
_STEPS = 16  # shades between two colours, enough for an edge

Pen = ImageDraw.ImageDraw


def draw_menu(look: Look) -> bytes:
    """The picture as PNG; the same look gives the same bytes."""
    paper = look.background.upper()
    # As well as text on the paper, so that on the tiles a sign still stands out.
    ink = legible(look.foreground, paper)
    tiles, signs = _mask(_draw_tile), _mask(_draw_sign(look.icon))
    image = Image.new("RGB", (WIDTH, HEIGHT), paper)
    image.paste(mix(paper, ink, 0.12), mask=tiles)
    image.paste(ink, mask=signs)
    stream = BytesIO()
    image.quantize(3 * _STEPS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def column(index: int) -> tuple[int, int]:
    """Where a column begins and how wide it is, in pixels."""
    width = WIDTH // COLUMNS
    return index * width, width


def _mask(draw: Callable[[Pen, int], None]) -> Image.Image:
    mask = Image.new("L", (WIDTH * _SAMPLES, HEIGHT * _SAMPLES))
    pen = ImageDraw.Draw(mask)
    for index in range(COLUMNS):
        draw(pen, index)
    return mask.reduce(_SAMPLES)


def _draw_tile(pen: Pen, index: int) -> None:
    left, top, right, bottom = _tile(index)
    box = _scaled(left, top, right, bottom)
    pen.rounded_rectangle(box, _CORNER * _SAMPLES, fill=255)


def _draw_sign(icon: str) -> Callable[[Pen, int], None]:
    own = icon if icon in GLYPHS else FALLBACK

    def draw(pen: Pen, index: int) -> None:
        left, top, right, bottom = _tile(index)
        middle = ((left + right) / 2, (top + bottom) / 2)
        (_card, _member, _reward, _help)[index](pen, middle, own)

    return draw


def _tile(index: int) -> tuple[float, float, float, float]:
    width = (WIDTH - (COLUMNS + 1) * _MARGIN) / COLUMNS
    left = _MARGIN + index * (width + _MARGIN)
    return left, _MARGIN, left + width, HEIGHT - _MARGIN


def _card(pen: Pen, middle: Point, icon: str) -> None:
    """A stamp card: its frame, the shop's own stamp, and places for more."""
    x, y = middle
    _frame(pen, x - 235, y - 160, x + 235, y + 160)
    _glyph(pen, icon, (x - 110, y), 190)
    for row in (-62, 62):
        for place in (52, 152):
            _disc(pen, x + place, y + row, 36)


def _member(pen: Pen, middle: Point, icon: str) -> None:
    """A membership card: a person, and lines for name and number."""
    del icon
    x, y = middle
    _frame(pen, x - 235, y - 160, x + 235, y + 160)
    _disc(pen, x - 110, y - 48, 50)
    shoulders = _scaled(x - 190, y + 18, x - 30, y + 178)
    pen.pieslice(shoulders, 180, 360, fill=255)
    for down, right in ((-56, 185), (8, 185), (72, 120)):
        bar = (x + 20, y + down - 13, x + right, y + down + 13)
        pen.rounded_rectangle(_scaled(*bar), 13 * _SAMPLES, fill=255)


def _reward(pen: Pen, middle: Point, icon: str) -> None:
    del icon
    _glyph(pen, "gift", middle, _SIGN)


def _help(pen: Pen, middle: Point, icon: str) -> None:
    """A question mark in a ring."""
    del icon
    x, y = middle
    radius = _SIGN / 2
    ring = _scaled(x - radius, y - radius, x + radius, y + radius)
    pen.ellipse(ring, outline=255, width=_LINE * _SAMPLES)
    thick, bow = 40, 70
    top = _scaled(x - bow, y - 120, x + bow, y - 120 + 2 * bow)
    pen.arc(top, 180, 450, fill=255, width=thick * _SAMPLES)
    inner = bow - thick / 2
    _disc(pen, x - inner, y - 50, thick / 2)
    stem = (x - thick / 2, y - 120 + 2 * bow - thick, x + thick / 2, y + 66)
    pen.rounded_rectangle(_scaled(*stem), thick / 2 * _SAMPLES, fill=255)
    _disc(pen, x, y + 118, 27)


def _frame(pen: Pen, left: float, top: float, right: float, bottom: float) -> None:
    box = _scaled(left, top, right, bottom)
    pen.rounded_rectangle(box, 48 * _SAMPLES, outline=255, width=_LINE * _SAMPLES)


def _disc(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.ellipse(_scaled(x - radius, y - radius, x + radius, y + radius), fill=255)


def _glyph(pen: Pen, name: str, middle: Point, side: float) -> None:
    # Even-odd: a part that lies on another is a hole in it.
    scale = side / BOX * _SAMPLES
    left, top = (middle[0] - side / 2) * _SAMPLES, (middle[1] - side / 2) * _SAMPLES
    whole = Image.new("1", (round(side * _SAMPLES), round(side * _SAMPLES)))
    for polygon in glyph_polygons(name):
        part = Image.new("1", whole.size)
        points = [(x * scale, y * scale) for x, y in polygon]
        ImageDraw.Draw(part).polygon(points, fill=1)
        whole = ImageChops.logical_xor(whole, part)
    pen.bitmap((round(left), round(top)), whole, fill=255)


def _scaled(*box: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (value * _SAMPLES for value in box)
    return left, top, right, bottom
