import io
import re

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from passes.qr import qr_png, qr_svg

TEXTS = [
    "1",
    "STAMP 7K3Q9FJ2",
    "https://stamps.example.jp/c/7K3Q9FJ2ABCDEFGH",
    "https://line.me/R/oaMessage/%40aozora/?STAMP%207K3Q9FJ2",
    "あおぞら珈琲",
    "x" * 700,
]


def read(image: Image.Image) -> zxingcpp.Barcode:
    found = zxingcpp.read_barcodes(image)
    assert len(found) == 1
    return found[0]


def drawn(svg: str, box: int) -> Image.Image:
    """Fill the path as a browser would: rows of unit rectangles."""
    side = int(re.findall(r'viewBox="0 0 (\d+) \1"', svg)[0])
    image = Image.new("L", (side * box, side * box), 255)
    for x, y, length, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", svg):
        assert length == back
        left, top = int(x) * box, int(y) * box
        right, bottom = left + int(length) * box - 1, top + box - 1
        ImageDraw.Draw(image).rectangle((left, top, right, bottom), fill=0)
    return image


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("box", [2, 3, 8])
def test_the_png_reads_back_at_small_and_large_sizes(text: str, box: int) -> None:
    image = Image.open(io.BytesIO(qr_png(text, box=box)))
    assert read(image.convert("L")).text == text


@pytest.mark.parametrize("text", TEXTS)
def test_the_svg_reads_back(text: str) -> None:
    assert read(drawn(qr_svg(text), 2)).text == text


def test_both_correct_fifteen_per_cent() -> None:
    for image in (Image.open(io.BytesIO(qr_png("abc"))), drawn(qr_svg("abc"), 4)):
        assert read(image.convert("L")).ec_level == "M"


def test_the_svg_is_one_path_in_the_pages_own_colour() -> None:
    svg = qr_svg("abc")
    assert svg.count("<path") == 1
    assert 'fill="currentColor"' in svg
    assert "style" not in svg


def test_a_text_cannot_break_out_of_the_svg() -> None:
    assert "script" not in qr_svg('"/><script>alert(1)</script>')


def test_the_border_is_as_wide_as_asked() -> None:
    one, none = qr_svg("abc", border=4), qr_svg("abc", border=0)
    assert 'viewBox="0 0 29 29"' in one
    assert 'viewBox="0 0 21 21"' in none
    assert "M0 0h7" in none
    assert "M4 4h7" in one


def test_the_png_has_the_quiet_zone_and_two_colours() -> None:
    image = Image.open(io.BytesIO(qr_png("abc", box=5)))
    assert image.mode == "1"
    assert image.size == (29 * 5, 29 * 5)
    assert image.convert("L").crop((0, 0, 145, 20)).getextrema() == (255, 255)
