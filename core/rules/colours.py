"""Colours as "#RRGGBB" text: are two of them told apart, and what lies between them.

Contrast is WCAG 2.2's (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio): 1 to 21,
4.5 for text, 3 for shapes that carry meaning.
"""

from __future__ import annotations

import re

TEXT_CONTRAST = 4.5
SHAPE_CONTRAST = 3.0

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_STEPS = 64


def is_colour(text: str) -> bool:
    """True for "#" and six hexadecimal digits."""
    return _COLOUR.fullmatch(text) is not None


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0-255; ValueError for anything but "#RRGGBB"."""
    if not is_colour(colour):
        msg = f"{colour!r} is not a colour such as #5A3A22"
        raise ValueError(msg)
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def contrast_ratio(a: str, b: str) -> float:
    """How well `a` stands out from `b`, 1 (not at all) to 21 (black and white)."""
    dark, light = sorted((_luminance(a), _luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def readable_on(background: str) -> str:
    """Black or white, whichever reads better: always at least 4.5 to 1.

    Pure black is needed: the softer #111111 would leave mid-greys at 4.3 to 1.
    """
    return max("#FFFFFF", "#000000", key=lambda c: contrast_ratio(c, background))


def mix(a: str, b: str, share: float) -> str:
    """The colour that is `share` (0 to 1) of `b` and the rest of `a`."""
    pairs = zip(rgb(a), rgb(b), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * share):02X}" for x, y in pairs)


def legible(wanted: str, background: str, least: float = TEXT_CONTRAST) -> str:
    """The colour nearest to `wanted` that stands out from `background`.

    `least` is the contrast asked for, 4.5 at most where it must be reached.
    """
    far = readable_on(background)
    return _first(wanted, far, background, least)


def tint(background: str, ink: str, least: float) -> str:
    """The quietest mixture of the two with a contrast of `least`, else `ink`."""
    return _first(background, ink, background, least)


def _first(start: str, end: str, background: str, least: float) -> str:
    tints = (mix(start, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((t for t in tints if contrast_ratio(t, background) >= least), end)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    low_end = 0.04045
    if channel <= low_end:
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)
