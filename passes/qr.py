"""QR codes as SVG for pages and as PNG for paper, error correction M (15 %)."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M

_QUIET_ZONE = 4  # modules; ISO/IEC 18004 wants no fewer
_Matrix = tuple[tuple[bool, ...], ...]


def qr_svg(text: str, *, border: int = _QUIET_ZONE) -> str:
    """An SVG element with one path in `currentColor`, `border` modules free around it.

    Has no size of its own and no ground: the page gives a width and a light colour.
    """
    rows = _matrix(text)
    side = len(rows) + 2 * border
    path = "".join(
        f"M{start + border} {y + border}h{length}v1h-{length}z"
        for y, row in enumerate(rows)
        for start, length in _runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"'
        f' shape-rendering="crispEdges"><path fill="currentColor" d="{path}"/></svg>'
    )


def qr_png(text: str, *, box: int = 8) -> bytes:
    """A black and white PNG, `box` pixels a module, with its quiet zone."""
    rows = _matrix(text)
    side = len(rows) + 2 * _QUIET_ZONE
    image = Image.new("1", (side, side), 1)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                image.putpixel((x + _QUIET_ZONE, y + _QUIET_ZONE), 0)
    stream = BytesIO()
    large = image.resize((side * box, side * box), Image.Resampling.NEAREST)
    large.save(stream, "PNG", optimize=True)
    return stream.getvalue()


@lru_cache(maxsize=256)
def _matrix(text: str) -> _Matrix:
    code = QRCode(error_correction=ERROR_CORRECT_M, border=0)
    code.add_data(text)
    code.make(fit=True)
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())


def _runs(row: tuple[bool, ...]) -> list[tuple[int, int]]:
    """Where dark stretches of a row begin and how long they are."""
    found: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if not dark:
            continue
        if found and sum(found[-1]) == x:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((x, 1))
    return found
