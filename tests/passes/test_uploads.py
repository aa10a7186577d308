import io
import struct
import time
import zlib
from typing import Any

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from core.errors import Invalid
from core.rules.colours import rgb
from core.rules.types import Look, MerchantId
from core.wording import LANGUAGES, say
from passes.art import Art
from passes.uploads import MOST_BYTES, clean_picture, open_icon

RED, BLUE, WHITE = (220, 30, 30), (30, 30, 220), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def halves(width: int, height: int) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    return image


def refusal(raw: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        clean_picture(raw)
    key, blanks = refused.value.problems["icon"]
    for language in LANGUAGES:
        assert say(key, language, **blanks)
    return key


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings hardly any data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(200_000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(pixel[:3], colour, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(800, 600), (600, 800), (50, 50), (2000, 2000)])
def test_a_picture_becomes_a_square_png(kind: str, size: tuple[int, int]) -> None:
    clean = opened(clean_picture(encoded(Image.new("RGB", size, RED), kind)))
    assert clean.format == "PNG"
    assert clean.size == (660, 660)


def test_the_middle_is_kept() -> None:
    wide = Image.new("RGB", (900, 300), BLUE)
    wide.paste(RED, (300, 0, 600, 300))
    clean = opened(clean_picture(encoded(wide), side=100))
    assert clean.size == (100, 100)
    assert is_near(clean.getpixel((3, 50)), RED)
    assert is_near(clean.getpixel((96, 50)), RED)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_camera_picture_stands_upright_and_forgets_where_it_was(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"
    clean = clean_picture(encoded(halves(300, 300), kind, exif=exif))
    image = opened(clean)
    assert is_near(image.getpixel((330, 40)), BLUE)
    assert is_near(image.getpixel((330, 620)), RED)
    assert not image.getexif()
    assert b"camera" not in clean


# Pillow warns about such notes and reads on.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Possibly corrupt EXIF")
def test_damaged_camera_notes_do_not_matter() -> None:
    raw = encoded(
        halves(300, 300), "JPEG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff\1\2"
    )
    assert is_near(opened(clean_picture(raw)).getpixel((330, 40)), RED)


def test_nothing_but_pixels_is_kept() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    clean = clean_picture(encoded(halves(300, 300), pnginfo=notes) + b"trailing data")
    assert b"script" not in clean
    assert b"trailing" not in clean
    assert not opened(clean).info


def test_transparency_is_kept() -> None:
    image = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((50, 50, 250, 250), fill=(*RED, 255))
    clean = opened(clean_picture(encoded(image)))
    assert clean.mode == "RGBA"
    assert clean.getpixel((5, 5))[3] == 0  # type: ignore[index]
    assert clean.getpixel((330, 330)) == (*RED, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_every_kind_of_pixel_is_taken(mode: str) -> None:
    image = Image.new(mode, (100, 100))
    raw = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    assert opened(clean_picture(raw)).size == (660, 660)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_other_formats_are_refused(kind: str) -> None:
    assert refusal(encoded(halves(100, 100), kind)) == "picture.type"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\x89PN",
    ],
)
def test_what_is_no_picture_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "picture.type"


def test_a_file_over_one_mebibyte_is_refused() -> None:
    picture = encoded(halves(100, 100))
    assert clean_picture(picture + bytes(MOST_BYTES - len(picture)))
    assert refusal(picture + bytes(MOST_BYTES - len(picture) + 1)) == "picture.size"


def test_four_megapixels_are_the_most() -> None:
    assert clean_picture(encoded(Image.new("L", (2000, 2000))))
    assert refusal(encoded(Image.new("L", (2000, 2001)))) == "picture.size"


@pytest.mark.parametrize("side", [3_000, 12_000, 30_000, 2_000_000])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    started = time.thread_time()
    assert refusal(png_header(side, side)) in {"picture.size", "picture.broken"}
    assert time.thread_time() - started < 0.2


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    raw = encoded(Image.new("RGB", (2000, 2000), RED), "JPEG", progressive=True)
    first = raw.rindex(b"\xff\xda")
    scan = raw[first:-2]
    bomb = raw[:-2] + scan * ((MOST_BYTES - len(raw)) // len(scan)) + raw[-2:]
    started = time.thread_time()
    assert refusal(bomb) == "picture.size"
    assert time.thread_time() - started < 0.2


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_damaged_file_is_refused_or_read_but_never_an_accident(kind: str) -> None:
    noise = Image.effect_noise((120, 120), 90).convert("RGB")
    raw = encoded(noise, kind)
    assert refusal(raw[: len(raw) // 2]) == "picture.broken"
    for at in range(8, len(raw), max(1, len(raw) // 150)):
        try:
            damaged = raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]
            clean_picture(damaged, side=32)
        except Invalid:
            continue


def inks(background: str, foreground: str) -> Any:
    look = Look(background=background, foreground=foreground)
    return Art(MerchantId("m"), look, 10, frozenset()).inks


@pytest.mark.parametrize(
    ("logo", "ground"), [((255, 255, 255), "#5A3A22"), ((30, 20, 10), "#FFFFFF")]
)
def test_a_transparent_logo_is_set_off_by_the_colour_behind_it(
    logo: tuple[int, int, int], ground: str
) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((*logo, 255), (30, 30, 70, 70))
    icon = open_icon(encoded(image), inks("#5A3A22", "#FFFFFF"))
    assert icon is not None
    assert icon.getpixel((5, 5)) == rgb(ground)
    assert icon.getpixel((50, 50)) == logo


def test_a_wholly_transparent_picture_can_be_drawn() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    assert open_icon(encoded(image), inks("#FFFFFF", "#000000")) is not None


def test_a_kept_picture_that_cannot_be_read_is_none() -> None:
    assert open_icon(b"not a picture", inks("#FFFFFF", "#000000")) is None
