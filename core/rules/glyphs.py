"""The built-in icons and stamp outlines, as shapes in a box of 24 x 24 units.

One source for two readers: the settings page shows a shape as an SVG path, the wallet
pictures fill the same shape as polygons. Paths use absolute M, L, C, Q and Z only and
are filled by the even-odd rule (`fill-rule="evenodd"`), so that parts never overlap.
"""

from __future__ import annotations

import math
import re
from functools import cache
from itertools import pairwise

Point = tuple[float, float]
Polygon = tuple[Point, ...]

BOX = 24.0
FALLBACK = "star"

_CENTRE = BOX / 2
_KAPPA = 0.5523  # a quarter circle as one cubic curve
_CURVE_STEPS = 14
_PART = re.compile(r"([MLCQZ])([^MLCQZ]*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PAIR = re.compile(r"(-?\d+(?:\.\d+)?) (-?\d+(?:\.\d+)?)")


def glyph_svg_path(name: str) -> str:
    """The `d` of an SVG path in viewBox "0 0 24 24"; the star for an unknown name."""
    return _SHAPES.get(name, _SHAPES[FALLBACK])


@cache
def glyph_polygons(name: str) -> tuple[Polygon, ...]:
    """The same shape as closed polygons, curves flattened."""
    return tuple(_flatten(part) for part in glyph_svg_path(name).split("Z") if part)


def _flatten(part: str) -> Polygon:
    points: list[Point] = []
    for letter, numbers in _PART.findall(part):
        values = [float(n) for n in _NUMBER.findall(numbers)]
        ends = list(zip(values[::2], values[1::2], strict=True))
        if letter in "ML":
            points += ends
        else:
            size = 3 if letter == "C" else 2
            for at in range(0, len(ends), size):
                points += _curve([points[-1], *ends[at : at + size]])
    return tuple(points)


def _curve(control: list[Point]) -> list[Point]:
    """Points of a Bezier curve after its start; any degree, by de Casteljau."""
    found = []
    for step in range(1, _CURVE_STEPS + 1):
        t, rest = step / _CURVE_STEPS, control
        while len(rest) > 1:
            rest = [
                (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
                for a, b in pairwise(rest)
            ]
        found.append(rest[0])
    return found


# --- how the shapes below are written --------------------------------------------


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _xy(x: float, y: float) -> str:
    return f"{_n(x)} {_n(y)}"


def _oval(x: float, y: float, rx: float, ry: float | None = None) -> str:
    ry = rx if ry is None else ry
    kx, ky = rx * _KAPPA, ry * _KAPPA
    return (
        f"M{_xy(x, y - ry)}"
        f"C{_xy(x + kx, y - ry)} {_xy(x + rx, y - ky)} {_xy(x + rx, y)}"
        f"C{_xy(x + rx, y + ky)} {_xy(x + kx, y + ry)} {_xy(x, y + ry)}"
        f"C{_xy(x - kx, y + ry)} {_xy(x - rx, y + ky)} {_xy(x - rx, y)}"
        f"C{_xy(x - rx, y - ky)} {_xy(x - kx, y - ry)} {_xy(x, y - ry)}Z"
    )


def _rounded(radius: float, *points: Point) -> str:
    """A polygon whose corners are rounded off, `radius` units along each side."""
    path = ""
    for index, corner in enumerate(points):
        before, after = points[index - 1], points[(index + 1) % len(points)]
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        path += f"{'L' if path else 'M'}{_xy(*start)}Q{_xy(*corner)} {_xy(*end)}"
    return path + "Z"


def _towards(start: Point, end: Point, way: float) -> Point:
    share = min(way / math.dist(start, end), 0.5)
    return (
        start[0] + (end[0] - start[0]) * share,
        start[1] + (end[1] - start[1]) * share,
    )


def _box(left: float, top: float, right: float, bottom: float, radius: float) -> str:
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return _rounded(radius, *corners)


def _turned(path: str, degrees: float, x: float = 12, y: float = 12) -> str:
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))

    def turn(found: re.Match[str]) -> str:
        dx, dy = float(found[1]) - x, float(found[2]) - y
        return _xy(x + dx * cos - dy * sin, y + dx * sin + dy * cos)

    return _PAIR.sub(turn, path)


def _mirrored(path: str) -> str:
    return _PAIR.sub(lambda found: _xy(BOX - float(found[1]), float(found[2])), path)


def _ray(radius: float, degrees: float, x: float = 12, y: float = 12) -> Point:
    angle = math.radians(degrees - 90)
    return x + radius * math.cos(angle), y + radius * math.sin(angle)


def _star(x: float, y: float, outer: float, inner: float, radius: float) -> str:
    return _rounded(
        radius,
        *(_ray(inner if step % 2 else outer, step * 36, x, y) for step in range(10)),
    )


def _scallops(lobes: int, valley: float, crest: float) -> str:
    """A seal with a wavy edge; `crest` is the control radius, half of it is seen."""
    step = 360 / lobes
    path = f"M{_xy(*_ray(valley, 0))}"
    for lobe in range(lobes):
        top, end = _ray(crest, (lobe + 0.5) * step), _ray(valley, (lobe + 1) * step)
        path += f"Q{_xy(*top)} {_xy(*end)}"
    return path + "Z"


def _steam(x: float, top: float) -> str:
    b = top + 4.8
    return (
        f"M{_xy(x, b)}C{_xy(x - 1.9, b - 1.6)} {_xy(x + 0.7, b - 2.7)} {_xy(x, top)}"
        f"C{_xy(x + 2, top + 1.5)} {_xy(x + 2.4, top + 2.3)} {_xy(x + 1.2, top + 3.4)}"
        f"C{_xy(x + 0.5, top + 4)} {_xy(x + 0.1, top + 4.3)} {_xy(x, b)}Z"
    )


_COFFEE = (
    "M4 9.6L17.4 9.6C20.3 9.6 22.2 11 22.2 13.3C22.2 15.8 20 17.3 16.9 17.3"
    "C15.8 19.6 13.7 21 11.3 21L9.6 21C6 21 3.2 18.2 3.2 14.6L3.2 10.4"
    "C3.2 9.9 3.5 9.6 4 9.6Z"
    "M17.6 11.5L17.6 14.4C17.6 14.8 17.6 15.1 17.5 15.4C19.3 15.3 20.3 14.5 20.3 13.3"
    "C20.3 12.1 19.3 11.5 17.6 11.5Z"
)
_HEART = (
    "M12 21.2C5.4 16.4 2 12.7 2 8.6C2 5.4 4.4 3 7.4 3C9.3 3 11.1 4 12 5.7"
    "C12.9 4 14.7 3 16.6 3C19.6 3 22 5.4 22 8.6C22 12.7 18.6 16.4 12 21.2Z"
)
_PAD = (
    "M12 11.8C14.8 11.8 18.4 15.3 18.4 18.3C18.4 20.4 17 21.5 15.3 21.5"
    "C14 21.5 13.2 20.9 12 20.9C10.8 20.9 10 21.5 8.7 21.5C7 21.5 5.6 20.4 5.6 18.3"
    "C5.6 15.3 9.2 11.8 12 11.8Z"
)
_LEAF = (
    "M21 2.8C10.6 2.6 2.6 6.4 3 14.4C3 15.6 3.3 16.6 3.8 17.6"
    "C6.4 13.4 10.2 10.2 15.4 8.4C10.8 11 7.2 14.6 4.6 20.4L6 21.2"
    "L7.2 18.9C9.4 20 12.2 20 14.6 18.6C19.6 15.6 21 9.8 21 2.8Z"
)
_CRUST = (
    "M6.6 3.6L17.4 3.6C20.2 3.6 22 5.4 22 7.8C22 9.5 21.1 10.8 19.8 11.5L19.8 18.6"
    "C19.8 19.8 19 20.6 17.8 20.6L6.2 20.6C5 20.6 4.2 19.8 4.2 18.6L4.2 11.5"
    "C2.9 10.8 2 9.5 2 7.8C2 5.4 3.8 3.6 6.6 3.6Z"
)
_CRUMB = (
    "M7 5.6L17 5.6C18.9 5.6 20 6.5 20 7.8C20 9 19.2 9.8 17.8 10.2L17.8 18"
    "C17.8 18.4 17.6 18.6 17.2 18.6L6.8 18.6C6.4 18.6 6.2 18.4 6.2 18L6.2 10.2"
    "C4.8 9.8 4 9 4 7.8C4 6.5 5.1 5.6 7 5.6Z"
)
_CRUMB_INSIDE = (
    "M7.2 6.9L16.8 6.9C18 6.9 18.7 7.2 18.7 7.8C18.7 8.5 18 8.9 16.5 9.1L16.5 17.3"
    "L7.5 17.3L7.5 9.1C6 8.9 5.3 8.5 5.3 7.8C5.3 7.2 6 6.9 7.2 6.9Z"
)
_BOWL = (
    "M2.4 11.4L21.6 11.4C22 11.4 22.2 11.6 22.2 12C22.1 15.6 20 18.4 16.6 19.8"
    "L16.6 20.9C16.6 21.3 16.3 21.6 15.9 21.6L8.1 21.6C7.7 21.6 7.4 21.3 7.4 20.9"
    "L7.4 19.8C4 18.4 1.9 15.6 1.8 12C1.8 11.6 2 11.4 2.4 11.4Z"
)
_PETAL = "M12 11.2C9.4 9.2 7 4.8 10.3 1.2L12 3.2L13.7 1.2C17 4.8 14.6 9.2 12 11.2Z"
_TICKET = (
    "M3.4 6L13.6 6C13.6 7.1 14.4 7.9 15.4 7.9C16.4 7.9 17.2 7.1 17.2 6L20.6 6"
    "C21.5 6 22.2 6.7 22.2 7.6L22.2 16.4C22.2 17.3 21.5 18 20.6 18L17.2 18"
    "C17.2 16.9 16.4 16.1 15.4 16.1C14.4 16.1 13.6 16.9 13.6 18L3.4 18"
    "C2.5 18 1.8 17.3 1.8 16.4L1.8 7.6C1.8 6.7 2.5 6 3.4 6Z"
)
_LOOP = (
    "M11.4 6.7C7.8 6.9 5.2 5.9 5.2 4C5.2 2.6 6.3 1.7 7.6 1.7C9.8 1.7 11.2 3.7 11.4 6.7Z"
    "M9.6 5.1C9.2 4 8.5 3.3 7.6 3.3C7.1 3.3 6.8 3.6 6.8 4C6.8 4.7 7.9 5.1 9.6 5.1Z"
)
_CREAM = (
    "M12 5.9C14.6 5.9 16.8 7.5 17.2 9.6C19.3 9.8 20.8 11.1 20.8 12.7"
    "C20.8 13.4 20.4 13.9 19.8 13.9L4.2 13.9C3.6 13.9 3.2 13.4 3.2 12.7"
    "C3.2 11.1 4.7 9.8 6.8 9.6C7.2 7.5 9.4 5.9 12 5.9Z"
)
_HALF_BOX = _box(3.9, 12.6, 11.1, 21.6, 1.2) + _box(2.6, 7.7, 11.1, 11.4, 0.9)

# Every icon that a merchant may choose, in the order of the picker.
_ICONS: dict[str, str] = {
    "star": _star(12, 12.7, 11.4, 5.6, 1.7),
    "coffee": _COFFEE + _steam(7.4, 2.6) + _steam(11.8, 2.6),
    "heart": _HEART,
    "paw": _PAD
    + _turned(_oval(4.3, 11.2, 2, 2.7), -24, 4.3, 11.2)
    + _turned(_oval(9, 5.6, 2.2, 3.1), -8, 9, 5.6)
    + _turned(_oval(15, 5.6, 2.2, 3.1), 8, 15, 5.6)
    + _turned(_oval(19.7, 11.2, 2, 2.7), 24, 19.7, 11.2),
    "leaf": _LEAF,
    "scissors": _oval(5.7, 6.3, 3.7)
    + _oval(5.7, 6.3, 1.7)
    + _oval(5.7, 17.7, 3.7)
    + _oval(5.7, 17.7, 1.7)
    + _rounded(0.6, (9.6, 8), (22.2, 18.3), (19.4, 19.3), (8.4, 9.6))
    + _rounded(0.3, (8.4, 14.4), (10.6, 12.5), (12.2, 13.8), (9.6, 16))
    + _rounded(0.6, (13.5, 10.1), (19.4, 4.7), (22.2, 5.7), (15.2, 11.5)),
    "bread": _CRUST + _CRUMB + _CRUMB_INSIDE,
    "bowl": _BOWL
    + _rounded(0.3, (9.9, 10.2), (19.6, 1.4), (20.8, 2.5), (12.2, 10.2))
    + _rounded(0.3, (14, 10.2), (21.5, 4.1), (22.5, 5.4), (16.4, 10.2))
    + _steam(6.4, 4.6),
    "flower": "".join(_turned(_PETAL, 72 * petal, 12, 12.6) for petal in range(5)),
    "ticket": _turned(
        _TICKET
        + _star(8.2, 12.2, 3.7, 1.7, 0.5)
        + _box(14.9, 9.2, 15.9, 10.6, 0.3)
        + _box(14.9, 11.4, 15.9, 12.8, 0.3)
        + _box(14.9, 13.6, 15.9, 15, 0.3),
        -18,
    ),
    "cake": _CREAM
    + _oval(12, 3.4, 1.9)
    + _rounded(0.8, (4.6, 15.2), (8.3, 15.2), (9.3, 21.6), (6.1, 21.6))
    + _rounded(0.5, (9.6, 15.2), (14.4, 15.2), (13.6, 21.6), (10.4, 21.6))
    + _mirrored(
        _rounded(0.8, (4.6, 15.2), (8.3, 15.2), (9.3, 21.6), (6.1, 21.6)),
    ),
    "gift": _HALF_BOX + _LOOP + _mirrored(_HALF_BOX + _LOOP),
}
# What a place on the card looks like: plain, with a reward, the goal.
_OUTLINES = {
    "disc": _oval(12, 12, 11.2),
    "rosette": _scallops(10, 10.7, 13.1),
    "seal": _scallops(16, 10.9, 13),
}
_SHAPES = _ICONS | _OUTLINES

GLYPHS: tuple[str, ...] = tuple(_ICONS)
OUTLINES: tuple[str, ...] = tuple(_OUTLINES)
