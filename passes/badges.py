"""The small pictures that name a merchant: notification icon, logo, program logo."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from core.rules.colours import rgb
from passes.art import Art
from passes.glyphs import shape_mask
from passes.palette import palette_of, to_palette

ICON_POINTS = 38
LOGO_POINTS = 50
PRIMARY_LOGO_POINTS = 30
PROGRAM_LOGO_PIXELS = 660

_ICON_GLYPH = 0.66
_LOGO_GLYPH = 0.6
# Google cuts a circle out of the square and wants 15 % free on every side.
_PROGRAM_LOGO_GLYPH = 0.5
_TO_THE_EDGE = 12 / 11.2  # the disc on its own may fill its box
_LEVELS = 16


def draw_icon(art: Art, icon: Image.Image | None, scale: int) -> bytes:
    """Apple's icon: a full square in the card's colours; the phone rounds it."""
    return _square(art, icon, ICON_POINTS * scale, _ICON_GLYPH, inverted=False)


def draw_program_logo(art: Art, icon: Image.Image | None, scale: int) -> bytes:
    """Google's program logo: 660 x 660 at scale 1, full bleed, not masked."""
    side = PROGRAM_LOGO_PIXELS * scale
    return _square(art, icon, side, _PROGRAM_LOGO_GLYPH, inverted=True)


def draw_logo(art: Art, icon: Image.Image | None, scale: int) -> bytes:
    """Apple's logo: a round stamp without margin, transparent around and within."""
    return _round(art, icon, LOGO_POINTS * scale)


def draw_primary_logo(art: Art, icon: Image.Image | None, scale: int) -> bytes:
    """The logo on Apple's poster, 30 x 30 pt: 126 pt wide only with words in it."""
    return _round(art, icon, PRIMARY_LOGO_POINTS * scale)


def _round(art: Art, icon: Image.Image | None, side: int) -> bytes:
    disc = shape_mask("disc", side, size=_TO_THE_EDGE)
    if icon is not None:
        image = icon.resize((side, side), Image.Resampling.LANCZOS)
        image.putalpha(disc)
        return _png(image.quantize(method=Image.Quantize.FASTOCTREE))
    disc.paste(0, mask=shape_mask(art.look.icon, side, size=_LOGO_GLYPH))
    # One colour in 16 strengths: the index of a pixel is how opaque it is.
    image = disc.point([round(v / 255 * (_LEVELS - 1)) for v in range(256)])
    image.putpalette(rgb(art.inks.ink) * _LEVELS)
    return _png(image, bytes(round(n * 255 / (_LEVELS - 1)) for n in range(_LEVELS)))


def _square(
    art: Art, icon: Image.Image | None, side: int, size: float, *, inverted: bool
) -> bytes:
    inks = art.inks
    if icon is not None:
        image = icon.resize((side, side), Image.Resampling.LANCZOS)
        # On a phone's pass bytes count; Google's servers fetch theirs once.
        return _png(image if inverted else image.quantize())
    ground, glyph = (inks.ink, inks.paper) if inverted else (inks.paper, inks.ink)
    image = Image.new("RGB", (side, side), ground)
    image.paste(glyph, mask=shape_mask(art.look.icon, side, size=size))
    return _png(to_palette(image, palette_of(inks, None)))


def _png(image: Image.Image, opacities: bytes | None = None) -> bytes:
    stream = BytesIO()
    given = {} if opacities is None else {"transparency": opacities}
    image.save(stream, "PNG", optimize=True, **given)
    return stream.getvalue()
