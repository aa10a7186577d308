"""Merchants' own pictures: taken in only as freshly encoded PNG, opened for drawing.

What a browser sends is never passed on. The type is read from the first bytes, the
dimensions from the header, and only then is anything decoded.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO
from typing import NoReturn

from PIL import Image, ImageOps, ImageStat

from core.errors import Invalid
from core.rules.colours import contrast_ratio
from passes.art import Inks

MOST_BYTES = 2**20
MOST_PIXELS = 4_000_000

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_SCAN = b"\xff\xda"
# An honest progressive JPEG has about ten scans. Each costs a pass over the picture,
# so that thousands of empty ones in 1 MB keep a decoder busy for minutes.
_MOST_SCANS = 64
_ORIENTATION = 0x0112
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def clean_picture(raw: bytes, *, side: int = 660) -> bytes:
    """A PNG of `side` x `side` pixels: upright, cut to its middle square, no metadata.

    Takes PNG and JPEG up to 1 MiB and 4 megapixels. Raises Invalid for the field
    "icon": picture.type, picture.size or picture.broken.
    """
    if len(raw) > MOST_BYTES or raw.count(_SCAN) > _MOST_SCANS:
        _refuse("size")
    kind = "PNG" if raw.startswith(_PNG) else "JPEG" if raw.startswith(_JPEG) else None
    if kind is None:
        _refuse("type")
    image = _upright(_decoded(raw, kind))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def open_icon(content: bytes, inks: Inks) -> Image.Image | None:
    """A kept picture as RGB; None when it cannot be read.

    Transparent parts show the card's paper or ink, whichever sets the picture off.
    """
    try:
        image = Image.open(BytesIO(content), formats=("PNG",)).convert("RGBA")
    except _BROKEN:
        return None
    opacity = image.getchannel("A")
    # A wholly transparent picture has no mean; the blank one there is shows as paper.
    seen = opacity if opacity.getbbox() else None
    mean = ImageStat.Stat(image.convert("RGB"), seen).mean
    colour = "#" + "".join(f"{round(channel):02X}" for channel in mean)
    ground = max(inks.paper, inks.ink, key=lambda ink: contrast_ratio(ink, colour))
    flat = Image.new("RGB", image.size, ground)
    flat.paste(image, mask=opacity)
    return flat


def _decoded(raw: bytes, kind: str) -> Image.Image:
    try:
        image = Image.open(BytesIO(raw), formats=(kind,))
        if image.width * image.height > MOST_PIXELS:
            _refuse("size")
        image.load()
    except _BOMB:
        _refuse("size")
    except _BROKEN:
        _refuse("broken")
    return image


def _upright(image: Image.Image) -> Image.Image:
    turned: Image.Image | None = None
    # A camera's orientation is a courtesy: a picture with damaged notes stays as it is.
    with suppress(*_BROKEN, KeyError, TypeError):
        turned = ImageOps.exif_transpose(image)
    return turned or image


def _refuse(why: str) -> NoReturn:
    blanks = {"megabytes": MOST_BYTES // 2**20, "megapixels": MOST_PIXELS // 10**6}
    raise Invalid({"icon": (f"picture.{why}", blanks)})
