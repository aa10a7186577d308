"""Built-in icons as Pillow masks. The shapes themselves live in `core.rules.glyphs`."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw

from core.rules.glyphs import BOX, GLYPHS, Point, glyph_polygons, glyph_svg_path

__all__ = ["GLYPHS", "glyph_svg_path", "shape_mask"]

_FINE, _COARSE = 8, 4  # samples per pixel and direction
_SMALL = 40  # pixels


def shape_mask(
    name: str, side: int, *, size: float = 1.0, degrees: float = 0.0
) -> Image.Image:
    """The shape `name` in the middle of a square of `side` pixels, white on black.

    `size` is its share of the square; `degrees` turn it clockwise. Edges are smooth:
    drawn at 4 or 8 times the size, then averaged.
    """
    samples = _FINE if side <= _SMALL else _COARSE
    whole = side * samples
    place = _placing(whole, size, degrees)
    first, *others = glyph_polygons(name)
    mask = Image.new("1", (whole, whole))
    ImageDraw.Draw(mask).polygon([place(point) for point in first], fill=1)
    for polygon in others:
        part = Image.new("1", mask.size)
        ImageDraw.Draw(part).polygon([place(point) for point in polygon], fill=1)
        if (box := part.getbbox()) is None:
            continue
        mask.paste(ImageChops.logical_xor(mask.crop(box), part.crop(box)), box)
    return mask.convert("L").reduce(samples)


def _placing(side: int, size: float, degrees: float) -> Callable[[Point], Point]:
    scale, middle = side * size / BOX, side / 2
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))

    def place(point: Point) -> Point:
        x, y = (point[0] - BOX / 2) * scale, (point[1] - BOX / 2) * scale
        return middle + x * cos - y * sin, middle + x * sin + y * cos

    return place
