"""One place of a card: an outlined ring while empty, an inked stamp once given."""

from __future__ import annotations

from functools import cached_property

from PIL import Image

from passes.art import Art
from passes.glyphs import shape_mask
from passes.layout import Outline
from passes.palette import palette_of, to_palette

_GLYPH = 0.58
_PICTURE = 0.86
_MARK = 0.5
_MARKS: dict[Outline, str] = {"rosette": "gift", "seal": "star"}
_LINE_FROM = 44  # pixels; on smaller stamps a line within would only blur
_LINE_AT = 0.88


class Stamps:
    """Draws the places of one design at one size, each variant once.

    `icon` is the merchant's own square picture (RGB), None for a built-in one.
    """

    def __init__(self, art: Art, icon: Image.Image | None, side: int) -> None:
        self._inks = art.inks
        self._glyph = art.look.icon
        self._side = side
        self._icon = icon and _sized(icon, round(side * _PICTURE))
        self._drawn: dict[tuple[Outline, float | None], Image.Image] = {}

    @cached_property
    def palette(self) -> list[int]:
        """Red, green, blue of every colour in use; the first is the paper."""
        return palette_of(self._inks, self._icon)

    def empty(self, outline: Outline) -> Image.Image:
        """The place before its stamp, in `palette`."""
        if (outline, None) not in self._drawn:
            tile = self._draw_empty(outline)
            self._drawn[outline, None] = to_palette(tile, self.palette)
        return self._drawn[outline, None]

    def stamped(self, outline: Outline, lean: float) -> Image.Image:
        """The place after it, the icon turned by `lean` degrees, in `palette`."""
        if (outline, lean) not in self._drawn:
            tile = self._draw_stamped(outline, lean)
            self._drawn[outline, lean] = to_palette(tile, self.palette)
        return self._drawn[outline, lean]

    def _draw_empty(self, outline: Outline) -> Image.Image:
        inks, side = self._inks, self._side
        tile = Image.new("RGB", (side, side), inks.paper)
        ring = max(1.0, side * 0.028) * (1.4 if outline == "seal" else 1)
        tile.paste(inks.quiet, mask=shape_mask(outline, side))
        inside = shape_mask(outline, side, size=1 - 2 * ring / side)
        tile.paste(inks.wash, mask=inside)
        if outline in _MARKS:
            mark = shape_mask(_MARKS[outline], side, size=_MARK)
            tile.paste(inks.quiet, mask=mark)
        return tile

    def _draw_stamped(self, outline: Outline, lean: float) -> Image.Image:
        inks, side = self._inks, self._side
        tile = Image.new("RGB", (side, side), inks.paper)
        tile.paste(inks.ink, mask=shape_mask(outline, side))
        if self._icon is not None:
            at = (side - self._icon.width) // 2
            disc = shape_mask("disc", self._icon.width)
            tile.paste(self._icon, (at, at), disc)
            return tile
        if side >= _LINE_FROM:
            self._draw_line(tile, outline)
        glyph = shape_mask(self._glyph, side, size=_GLYPH, degrees=lean)
        tile.paste(inks.paper, mask=glyph)
        return tile

    def _draw_line(self, tile: Image.Image, outline: Outline) -> None:
        inside = _LINE_AT - 2 * max(1.0, self._side * 0.014) / self._side
        tile.paste(self._inks.line, mask=shape_mask(outline, self._side, size=_LINE_AT))
        tile.paste(self._inks.ink, mask=shape_mask(outline, self._side, size=inside))


def _sized(icon: Image.Image, side: int) -> Image.Image:
    return icon.resize((side, side), Image.Resampling.LANCZOS)
