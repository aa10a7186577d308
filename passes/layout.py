"""Where the stamps stand on a card: 1 to 50 places in one to five rows."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Outline = Literal["disc", "rosette", "seal"]

# (most stamps, rows). By tens from 31 on: a full row is counted at a glance.
_ROWS = ((5, 1), (20, 2), (30, 3), (40, 4), (50, 5))
# Where there is height, rows are shorter and stamps larger; fives are seen at a glance.
TALL_ROWS = ((3, 1), (8, 2), (9, 3), (10, 2), (15, 3), (20, 4), (50, 5))
_TWO_ROWS = 2
_FILL = 0.88  # of the distance between two places
_WIDEST = 1.32  # distance between two places, in sides of the square they would fill
_LARGEST = 0.86  # of the free height, for a card with very few places


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture's size and free margins, in pixels.

    `foot` is free at the bottom beyond the margin; `rows` pairs the most stamps with
    the rows that they stand in.
    """

    width: int
    height: int
    margin_x: int
    margin_y: int
    most_rows: int = 5
    foot: int = 0
    rows: tuple[tuple[int, int], ...] = _ROWS


@dataclass(frozen=True, slots=True)
class Place:
    """A square for one stamp, in pixels, and the shape that marks it."""

    left: int
    top: int
    side: int
    outline: Outline


def lay_out(goal: int, rewards: Collection[int], canvas: Canvas) -> tuple[Place, ...]:
    """The places of a card in the order in which they are stamped.

    Whole pixels only, so that one drawing of a stamp fits every place.
    """
    rows = _rows(goal, canvas)
    columns = math.ceil(goal / rows)
    wide = (canvas.width - 2 * canvas.margin_x) / columns
    height = canvas.height - canvas.foot
    high = (height - 2 * canvas.margin_y) / rows
    pitch = min(wide, high, _LARGEST * high * rows)
    wide, high = min(wide, pitch * _WIDEST), min(high, pitch * _WIDEST)
    side = math.floor(pitch * _FILL)
    places: list[Place] = []
    for row, count in enumerate(_counts(goal, rows, columns)):
        middle = height / 2 + (row - (rows - 1) / 2) * high
        # Two rows are centred; more stand in columns, as on a calendar.
        across = count if rows <= _TWO_ROWS else columns
        for column in range(count):
            centre = canvas.width / 2 + (column - (across - 1) / 2) * wide
            number = len(places) + 1
            places.append(
                Place(
                    left=round(centre - side / 2),
                    top=round(middle - side / 2),
                    side=side,
                    outline=_outline(number, goal, rewards),
                )
            )
    return tuple(places)


def _rows(goal: int, canvas: Canvas) -> int:
    wanted = next(rows for stamps, rows in canvas.rows if goal <= stamps)
    return min(wanted, canvas.most_rows)


def _counts(goal: int, rows: int, columns: int) -> list[int]:
    return [min(columns, goal - row * columns) for row in range(rows)]


def _outline(number: int, goal: int, rewards: Collection[int]) -> Outline:
    if number == goal:
        return "seal"
    return "rosette" if number in rewards else "disc"
