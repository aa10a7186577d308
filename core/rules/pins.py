"""PINs: which are too simple, and how long somebody waits who keeps guessing.

A PIN is short because it is typed between two customers. So what keeps it is not its
length but how seldom anybody may try one.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SHORTEST = 4
LONGEST = 6

PinProblem = Literal["length", "same", "row", "pairs"]

_UP = "01234567890"
_ROWS = (_UP, _UP[::-1])
# Down the middle of the pad, and the one that everybody tries after 1234.
_WORN = {"2580", "0852", "1004", "112233", "332211", "123321"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many wrong PINs are borne at a place, and how long it closes for more.

    `free` wrong ones have no consequence; each further one closes it for `first`, then
    twice as long, up to `longest`. One is forgotten every `forgives`. A right PIN
    forgives nothing: else whoever has one would guess another's in between.
    """

    free: int
    first: timedelta
    longest: timedelta
    forgives: timedelta

    def remembered(self, failures: int, failed_at: datetime, now: datetime) -> int:
        """How many of the wrong PINs still count."""
        passed = max(now - failed_at, timedelta(0))
        return max(0, failures - passed // self.forgives)

    def wait_after(self, failures: int) -> timedelta:
        """For how long the place closes at the last of so many wrong PINs."""
        over = failures - self.free
        if over <= 0:
            return timedelta(0)
        longer: int = 2 ** min(over - 1, 20)
        return min(self.first * longer, self.longest)


# A device stands in the shop: its own staff mistype, and are seen when they guess.
AT_A_DEVICE = Patience(
    free=5,
    first=timedelta(seconds=5),
    longest=timedelta(minutes=15),
    forgives=timedelta(minutes=10),
)
# A customer's phone, for one reward: nobody but staff has anything to type there.
# The fifth wrong one closes it for longer than the request lives.
ON_A_PHONE = Patience(
    free=4,
    first=timedelta(hours=1),
    longest=timedelta(hours=1),
    forgives=timedelta(hours=1),
)
# All phones of a merchant together: each new reward would else bring fresh guesses.
ON_ALL_PHONES = Patience(
    free=20,
    first=timedelta(minutes=15),
    longest=timedelta(hours=6),
    forgives=timedelta(hours=1),
)


def read_pin(text: str) -> str:
    """The digits of what was typed (full-width ones too, spaces dropped), else ""."""
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    return plain if plain.isascii() and plain.isdecimal() else ""


def pin_problem(pin: str) -> PinProblem | None:
    """Why these digits may not be a PIN, or None where they may."""
    if not (SHORTEST <= len(pin) <= LONGEST and pin.isascii() and pin.isdecimal()):
        return "length"
    if len(set(pin)) == 1:
        return "same"
    if pin in _WORN or any(pin in row for row in _ROWS):
        return "row"
    half, rest = divmod(len(pin), 2)
    if not rest and pin[:2] * half == pin:
        return "pairs"
    return None
