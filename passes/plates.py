"""The card's picture with n of m stamps: drawn twice, then only pasted together.

A design is drawn once with no stamp and once with all of them, both in one small
palette. The picture for a count is the empty plate with the first places copied from
the full one: a fraction of a millisecond, and exactly the same pixels each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from passes.art import Art
from passes.layout import Canvas, Place, lay_out
from passes.stamps import Stamps

# How hand-pressed stamps lean, in degrees; the last one, the goal, stands straight.
_LEANS = (-8, 6, -3, 9, -5)


@dataclass(frozen=True, slots=True)
class Plates:
    """One design at one size, without and with all its stamps."""

    empty: Image.Image
    full: Image.Image
    places: tuple[Place, ...]

    @property
    def n_bytes(self) -> int:
        """How much memory both take, a byte a pixel."""
        return 2 * self.empty.width * self.empty.height

    def picture(self, balance: int) -> bytes:
        """The PNG with the first `balance` places stamped."""
        image = self.empty.copy()
        for place in self.places[:balance]:
            image.paste(self.full.crop(_box(place)), _box(place))
        stream = BytesIO()
        image.save(stream, "PNG")
        return stream.getvalue()


def draw_plates(art: Art, icon: Image.Image | None, canvas: Canvas) -> Plates:
    """Draw a design. `icon` is the merchant's own picture, None for a built-in one."""
    places = lay_out(art.goal, art.rewards, canvas)
    stamps = Stamps(art, icon, places[0].side)
    empty = Image.new("P", (canvas.width, canvas.height))
    empty.putpalette(stamps.palette)
    full = empty.copy()
    for number, place in enumerate(places, start=1):
        lean = 0 if number == art.goal else _LEANS[number % len(_LEANS)]
        empty.paste(stamps.empty(place.outline), _box(place))
        full.paste(stamps.stamped(place.outline, lean), _box(place))
    return Plates(empty, full, places)


def _box(place: Place) -> tuple[int, int, int, int]:
    return (
        place.left,
        place.top,
        place.left + place.side,
        place.top + place.side,
    )
