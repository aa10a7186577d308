"""The code that a 会員証 page shows: another one each minute, so that a picture of it
is soon worth nothing. Pure.

`M`, the eight digits of the member number, and seven letters that only the service can
make for this customer and this minute.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

from core.rules.types import Customer

# A code is shown for so long, and good for as long again: whoever holds up the phone in
# its last second must still be scanned.
SHOWN = timedelta(seconds=60)

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_N_LETTERS = 7
_CODE = re.compile(rf"M([0-9]{{4}})([0-9]{{4}})[{_LETTERS}]{{{_N_LETTERS}}}")


def member_code(customer: Customer, key: bytes, now: datetime) -> str:
    """The code of `customer` at `now`, under the service's secret `key`."""
    return _code(customer, key, _minute(now))


def number_in(code: str) -> str | None:
    """The member number that a code names; None for what is no such code.

    Whether the code is good, only `is_good` tells.
    """
    found = _CODE.fullmatch(code)
    return f"{found[1]}-{found[2]}" if found else None


def is_good(code: str, customer: Customer, key: bytes, now: datetime) -> bool:
    """Is it the code of `customer` that is shown at `now`, or was the minute before?"""
    minute = _minute(now)
    now_shown, before = (_code(customer, key, minute - ago) for ago in (0, 1))
    # Both, and whole: how long it takes must not tell how much was right.
    is_shown = hmac.compare_digest(code.encode(), now_shown.encode())
    return hmac.compare_digest(code.encode(), before.encode()) or is_shown


def seconds_left(now: datetime) -> float:
    """After how many seconds the code that is shown at `now` changes."""
    seconds = SHOWN.total_seconds()
    return seconds - now.timestamp() % seconds


def _minute(now: datetime) -> int:
    return int(now.timestamp() // SHOWN.total_seconds())


def _code(customer: Customer, key: bytes, minute: int) -> str:
    text = f"{customer.merchant_id}\0{customer.id}\0{minute}"
    number = int.from_bytes(hmac.digest(key, text.encode(), hashlib.sha256))
    letters = ""
    for _ in range(_N_LETTERS):
        number, index = divmod(number, len(_LETTERS))
        letters += _LETTERS[index]
    return f"M{customer.member_no.replace('-', '')}{letters}"
