"""QR codes for paper: as rectangles to fill, and as a large PNG without any words.

zxing-cpp draws a thousand in the time in which `passes.qr` draws ten: sheets have
thousands.
"""

from __future__ import annotations

from io import BytesIO
from typing import cast

import zxingcpp
from PIL import Image

QUIET_ZONE = 4  # modules; ISO/IEC 18004 wants no fewer
PNG_SIDE = 1200  # pixels at least: 10 cm at 300 dpi

# A dark stretch of a row: column, row and length in modules, from the upper left.
Run = tuple[int, int, int]


def qr_runs(text: str) -> tuple[int, list[Run]]:
    """How many modules a side has, and its dark stretches; error correction M (15 %).

    Raises ValueError for more text than one code can hold.
    """
    rows = _rows(text)
    return len(rows), [
        (start, y, length)
        for y, row in enumerate(rows)
        for start, length in _stretches(row)
    ]


def print_png(text: str) -> bytes:
    """Black on white with its quiet zone, each module the same number of pixels."""
    side, runs = qr_runs(text)
    image = Image.new("1", (side + 2 * QUIET_ZONE,) * 2, 1)
    for x, y, length in runs:
        left, top = x + QUIET_ZONE, y + QUIET_ZONE
        image.paste(0, (left, top, left + length, top + 1))
    box = -(-PNG_SIDE // image.width)
    large = image.resize((image.width * box,) * 2, Image.Resampling.NEAREST)
    stream = BytesIO()
    large.save(stream, "PNG", optimize=True, dpi=(300, 300))
    return stream.getvalue()


def _rows(text: str) -> list[list[bool]]:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    image = code.to_image(scale=1, add_quiet_zones=False)
    # A buffer of two dimensions, which its type hints do not say.
    shades = cast("list[list[int]]", memoryview(cast("bytes", image)).tolist())
    return [[shade == 0 for shade in row] for row in shades]


def _stretches(row: list[bool]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for x, dark in enumerate([*row, False]):
        if dark and (not found or x > sum(found[-1])):
            found.append((x, 1))
        elif dark:
            found[-1] = (found[-1][0], found[-1][1] + 1)
    return found
