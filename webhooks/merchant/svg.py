"""Drawing words, shapes and pictures as SVG.

The strict content policy forbids style attributes, but colours as attributes of SVG
elements are markup like any other.
"""

from __future__ import annotations

import base64
import unicodedata

from markupsafe import Markup

from passes.qr import qr_svg

_WIDE = {"W", "F", "A"}
# What must not begin a line (JIS X 4051), and so stays with the letter before it.
_CLOSING = set(
    "、。，．・：；？！ー）〕］｝」』】”’…々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}"
)
_NARROW = set("iljtfrI.,:;'|!()[] ")


def text_width(text: str, size: float) -> float:
    """About how wide `text` runs in letters of `size`: no font is at hand here."""
    return size * sum(_em(letter) for letter in text)


def clip(text: str, size: float, width: float) -> str:
    """The text, cut with … where it would run over `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def wrap(text: str, size: float, width: float, most: int = 0) -> list[str]:
    """The text in lines of at most `width`; Japanese breaks anywhere.

    With `most` lines, the last one is cut with ….
    """
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in _words(paragraph):
            if line and text_width(line + word.rstrip(), size) > width:
                lines.append(line.rstrip())
                line = ""
            line += word
        lines.append(line.rstrip())
    if most and len(lines) > most:
        lines = [*lines[: most - 1], clip(" ".join(lines[most - 1 :]), size, width)]
    return lines


def words(
    x: float,
    y: float,
    text: str,
    size: float,
    fill: str,
    *,
    bold: bool = False,
    anchor: str = "start",
) -> Markup:
    """One line of text whose baseline is at `y`."""
    weight = Markup(' font-weight="700"') if bold else ""
    at = "" if anchor == "start" else Markup(' text-anchor="{}"').format(anchor)
    return Markup('<text x="{}" y="{}" font-size="{}" fill="{}"{}{}>{}</text>').format(
        number(x), number(y), number(size), fill, weight, at, text
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str,
    *,
    radius: float = 0,
    border: tuple[float, str] | None = None,
) -> Markup:
    """A rectangle; a `border` (width, colour) is drawn inside of it."""
    edge = Markup("")
    if border is not None:
        thick, colour = border
        x, y, width, height = (
            x + thick / 2,
            y + thick / 2,
            width - thick,
            height - thick,
        )
        radius = max(radius - thick / 2, 0)
        edge = Markup(' stroke="{}" stroke-width="{}"').format(colour, number(thick))
    corner = Markup(' rx="{}"').format(number(radius)) if radius else ""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"{}{}/>').format(
        number(x), number(y), number(width), number(height), fill, corner, edge
    )


def picture(x: float, y: float, width: float, height: float, png: bytes) -> Markup:
    """A PNG within the page itself."""
    return Markup(
        '<image x="{}" y="{}" width="{}" height="{}" href="data:image/png;base64,{}"/>'
    ).format(
        number(x),
        number(y),
        number(width),
        number(height),
        base64.b64encode(png).decode(),
    )


def qr(x: float, y: float, side: float, text: str) -> Markup:
    """A QR code in black; the ground is the caller's."""
    # Our own text in, known markup out: nothing of it came from a person.
    code = Markup(qr_svg(text, border=0))  # noqa: S704
    return code.replace(
        "<svg ",
        Markup('<svg x="{}" y="{}" width="{}" height="{}" color="#000" ').format(
            number(x), number(y), number(side), number(side)
        ),
        1,
    )


def drawing(width: float, height: float, label: str, *parts: Markup) -> Markup:
    """A whole SVG that scales with its container and is read out as `label`."""
    return Markup(
        '<svg class="drawing" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(number(width), number(height), label, Markup("").join(parts))


def number(value: float) -> str:
    """A short decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _em(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in _WIDE:
        return 1.0
    if letter in _NARROW:
        return 0.32
    return 0.68 if letter.isupper() else 0.57


def _words(text: str) -> list[str]:
    """Pieces that stay together: a Latin word with its space, one Japanese letter."""
    found: list[str] = []
    for letter in text:
        joins = found and (letter in _CLOSING or _runs_on(found[-1], letter))
        if joins:
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _runs_on(before: str, letter: str) -> bool:
    """Latin letters stay together up to their space."""
    return (
        unicodedata.east_asian_width(letter) not in _WIDE
        and unicodedata.east_asian_width(before[-1]) not in _WIDE
        and (letter == " " or before[-1] != " ")
    )
