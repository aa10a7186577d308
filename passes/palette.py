"""Small palettes: a card has five colours and what its smooth edges need between them.

Palette pictures are a third of the size, and a phone fetches the whole pass again with
each stamp. Flat colours stay exact, so a picture meets the pass around it seamlessly.
"""

from __future__ import annotations

from PIL import Image

from core.rules.colours import mix, rgb
from passes.art import Inks

_WHOLE = 256
_OWN_COLOURS = 190


def palette_of(inks: Inks, icon: Image.Image | None) -> list[int]:
    """Red, green, blue of each colour in turn; the first is the paper.

    `icon` (RGB) is a merchant's own picture, which brings colours of its own.
    """
    colours = [inks.paper, inks.ink, inks.quiet, inks.wash, inks.line]
    for a, b, steps in (
        (inks.paper, inks.ink, 10),
        (inks.paper, inks.quiet, 6),
        (inks.wash, inks.quiet, 6),
        (inks.ink, inks.line, 3),
    ):
        colours += [mix(a, b, step / steps) for step in range(1, steps)]
    found = [channel for colour in dict.fromkeys(colours) for channel in rgb(colour)]
    if icon is not None:
        own = icon.quantize(_OWN_COLOURS).getpalette() or []
        found += own[: _OWN_COLOURS * 3]
    return found


def to_palette(image: Image.Image, palette: list[int]) -> Image.Image:
    """The RGB picture with each pixel's nearest colour of `palette`."""
    chart = Image.new("P", (1, 1))
    # Filled up with the paper: Pillow would otherwise offer colours of its own.
    chart.putpalette((palette + palette[:3] * _WHOLE)[: _WHOLE * 3])
    return image.quantize(palette=chart, dither=Image.Dither.NONE)
