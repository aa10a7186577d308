"""Pictures of a till's camera, for browsers that cannot read codes by themselves.

They are looked at and forgotten. Decoding is real work on what a browser sent, so it
happens in few threads of its own, on small pictures, for signed-in staff.
"""

from __future__ import annotations

import asyncio
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO

import zxingcpp
from aiohttp import web
from PIL import Image

from core.actions.pins import MAY_SERVE
from webhooks.sessions import current_session

LARGEST = 512 * 1024
MOST_PIXELS = 2_000_000
MOST_SIDE = 4096
MOST_LETTERS = 200
THREADS = 2
# Who comes when so many wait is told to come again: the next picture is a fresher one.
MOST_WAITING = 16

# A camera's JPEG has one scan. Each costs a pass over the picture, so that thousands
# of empty ones keep a thread busy for minutes.
_SCAN = b"\xff\xda"
_MOST_SCANS = 16
_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_BROKEN = (
    OSError,
    SyntaxError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_KINDS = {"image/jpeg": "JPEG", "image/png": "PNG"}

routes = web.RouteTableDef()


@routes.post("/till/frames")
async def read_frame(request: web.Request) -> web.Response:
    """`{"text": …}` of the QR code in a picture, 204 for a picture without one.

    415 for another kind, 413 for a large one, 400 for one that cannot be opened, 503
    with Retry-After (seconds) where too many come at once.
    """
    session = current_session(request)
    if session is None or session.staff.role not in MAY_SERVE:
        return web.json_response({"outcome": "signed_out"}, status=401)
    kind = _KINDS.get(request.content_type)
    if kind is None:
        raise web.HTTPUnsupportedMediaType
    if (request.content_length or 0) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(LARGEST, request.content_length or 0)
    picture = await request.read()
    if len(picture) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(LARGEST, len(picture))
    readers = _readers()
    if readers.n_waiting >= MOST_WAITING:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
    try:
        text = await readers.read(picture, kind)
    except ValueError:
        raise web.HTTPBadRequest from None
    if text is None:
        return web.Response(status=204)
    return web.json_response({"text": text})


def read_code(picture: bytes, kind: str) -> str | None:
    """The text of a QR code in a JPEG or PNG, one of ours first; None without one.

    Blocks. Raises ValueError for what cannot be opened or unpacks to too much.
    """
    if picture.count(_SCAN) > _MOST_SCANS:
        raise ValueError("too many scans")
    try:
        with Image.open(BytesIO(picture), formats=[kind]) as image:
            # Known from the header, before anything is unpacked.
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
                raise ValueError("too many pixels")
            grey = image.convert("L")
    except _BROKEN as error:
        raise ValueError("no picture") from error
    found = zxingcpp.read_barcodes(grey, formats=_FORMATS)
    texts = [code.text for code in found if 0 < len(code.text) <= MOST_LETTERS]
    return min(texts, key=lambda text: "/c/" not in text, default=None)


class _Readers:
    """The threads that look at pictures, and how many pictures wait for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="frames")
        self.n_waiting = 0

    async def read(self, picture: bytes, kind: str) -> str | None:
        self.n_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, read_code, picture, kind)
        finally:
            self.n_waiting -= 1


@cache
def _readers() -> _Readers:
    # One for the process: its threads start with the first picture.
    return _Readers()
