"""The code that a Google pass makes by itself, another one each half a minute. Pure.

`T`, the eight digits of the member number, and six digits of RFC 6238 under a secret of
this pass: the phone needs no network for it, and a picture of it is soon worth nothing.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

PERIOD = timedelta(seconds=30)
N_DIGITS = 6
# Bytes of the secret: as long as the hash, which RFC 4226 recommends.
KEY_LENGTH = 20

# A phone's clock may be half a minute off, and staff take a moment to scan.
_NEAR = (-1, 0, 1)
_CODE = re.compile(rf"T([0-9]{{4}})([0-9]{{4}})([0-9]{{{N_DIGITS}}})")


@dataclass(frozen=True, slots=True)
class PassCode:
    """A code as it was scanned: whose, by the member number, and which value."""

    number: str
    value: str


def read_pass_code(code: str) -> PassCode | None:
    """What such a code says; None for what is none. Only `counter_of` tells if good."""
    found = _CODE.fullmatch(code)
    return PassCode(f"{found[1]}-{found[2]}", found[3]) if found else None


def code_before_value(member_no: str) -> str:
    """All of a customer's code but its last digits, which the phone makes."""
    return f"T{member_no.replace('-', '')}"


def counter_of(value: str, key: bytes, at: datetime) -> int | None:
    """The period for which a pass with this `key` makes `value`: that of `at`, or one
    before or after; None where it is of none of them.
    """
    now = int(at.timestamp() // PERIOD.total_seconds())
    found = None
    for counter in (now + step for step in _NEAR):
        # All of them, and whole: how long it takes must not tell how much was right.
        if hmac.compare_digest(value_at(counter, key).encode(), value.encode()):
            found = counter
    return found


def value_at(counter: int, key: bytes) -> str:
    """The digits that a pass with this `key` makes in that period."""
    made = HOTP(key, N_DIGITS, SHA1()).generate(counter)  # noqa: S303 -- Google has no other
    return made.decode()
