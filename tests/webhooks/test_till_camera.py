"""Pictures of a till's camera, over real HTTP."""

from __future__ import annotations

import asyncio
import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from passes.qr import qr_png
from tests.webhooks.rooms import Staff, field, serve_rooms
from webhooks.till import frames

OURS = "https://stamps.example.jp/c/0123456789ABC"


@pytest.fixture
async def staff(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as client:
        found = Staff(client)
        await found.sign_in("clerk@aozora.jp")
        await found.get("/till/")
        yield found


def photo(*texts: str, kind: str = "JPEG", size: tuple[int, int] = (800, 450)) -> bytes:
    """What a camera sees: codes held askew before a counter."""
    image = Image.new("RGB", size, (120, 110, 100))
    for place, text in enumerate(texts):
        code = Image.open(BytesIO(qr_png(text, box=6))).convert("RGB")
        held = code.rotate(8, expand=True, fillcolor=(120, 110, 100))
        image.paste(held, (20 + 380 * place, 40))
    stream = BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, *more: bytes) -> bytes:
    """A PNG that says to be so large; its rows are zeros, packed to nearly nothing."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(min(width * height, 10**7)), 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + rows + chunk(b"IEND", b"")


TEXT_BOMB = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7)))


async def send(staff, picture, kind="image/jpeg", **headers):
    token = {"X-CSRF-Token": field(staff.page, "csrf")}
    return await staff.client.post(
        "/till/frames",
        data=picture,
        headers={"Content-Type": kind, **token, **headers},
        allow_redirects=False,
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_a_picture_of_a_code_is_answered_with_its_text(staff, kind):
    answer = await send(staff, photo(OURS, kind=kind), f"image/{kind.lower()}")
    assert (answer.status, await answer.json()) == (200, {"text": OURS})
    # What it leads to is what the page would open.
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_picture_without_a_code_has_no_answer(staff):
    answer = await send(staff, photo())
    assert (answer.status, await answer.read()) == (204, b"")


async def test_of_two_codes_in_view_it_is_the_customers(staff):
    answer = await send(staff, photo("https://menu.example/x", OURS))
    assert (await answer.json())["text"] == OURS


async def test_a_code_of_somebody_else_is_told_as_it_is(staff):
    answer = await send(staff, photo("https://menu.example/x"))
    assert (await answer.json())["text"] == "https://menu.example/x"


async def test_nobody_but_staff_gets_pictures_read(staff):
    await staff.post("/till/signout", {})
    assert (await send(staff, photo(OURS))).status == 401
    form = {"email": "viewer@aozora.jp", "password": "きょうは朝から雨でした2026"}
    await staff.client.post("/till/signin", data=form)
    answer = await staff.client.get("/till/")
    staff.page = await answer.text()
    assert (await send(staff, photo(OURS))).status in {401, 403}


async def test_a_picture_from_another_site_is_not_read(staff):
    token = {"X-CSRF-Token": "wrong"}
    assert (await send(staff, photo(OURS), **token)).status == 403
    crossed = {"Sec-Fetch-Site": "cross-site"}
    assert (await send(staff, photo(OURS), **crossed)).status == 403


@pytest.mark.parametrize(
    ("kind", "picture", "status"),
    [
        ("image/gif", b"GIF89a", 415),
        ("image/svg+xml", b"<svg/>", 415),
        ("application/octet-stream", b"x", 415),
        ("image/jpeg", b"", 400),
        ("image/jpeg", b"\xff\xd8\xff\xe0nothing more", 400),
        ("image/png", photo(), 400),  # not what it says to be
        ("image/jpeg", photo()[:900], 400),  # cut off
        ("image/jpeg", b"\xff\xd8" + b"\xff\xda" * 300, 400),
        ("image/jpeg", bytes(frames.LARGEST + 1), 413),
        ("image/png", png(60_000, 60_000), 400),  # a bomb: 3.6 thousand million pixels
        ("image/png", png(9_000, 200), 400),  # few pixels, but in one long row
        ("image/png", png(8, 8, TEXT_BOMB), 400),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_small_picture_is_refused(staff, kind, picture, status):
    assert (await send(staff, picture, kind)).status == status


async def test_a_crowd_of_pictures_is_answered_or_told_to_come_again(
    staff, monkeypatch
):
    monkeypatch.setattr(frames, "MOST_WAITING", 2)
    picture = photo(OURS)
    answers = await asyncio.gather(*(send(staff, picture) for _ in range(12)))
    found = {answer.status for answer in answers}
    assert found <= {200, 503}
    assert 200 in found
    for answer in answers:
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "1"
    # Nobody is left waiting: the next one is read.
    assert (await send(staff, picture)).status == 200


@given(st.binary(max_size=400), st.sampled_from(["JPEG", "PNG"]))
def test_whatever_bytes_come_the_reader_answers_or_says_no(noise, kind):
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", photo(OURS)[:300]):
        try:
            assert frames.read_code(start + noise, kind) is None
        except ValueError:
            continue
