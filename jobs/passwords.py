"""Is a chosen password good enough? Long, and none of the ones that everybody tries.

NIST SP 800-63B: at least 15 characters where a password stands alone, any characters,
no composition rules, a list of common ones. https://pages.nist.gov/800-63-4/
"""

from __future__ import annotations

import unicodedata

SHORTEST = 15
# The most used ones of 15 letters and more; runs and repetitions are found by rule.
_COMMON = frozenset(
    {
        "1q2w3e4r5t6y7u8i",
        "1q2w3e4r5t6y7u8i9o0p",
        "1qaz2wsx3edc4rfv",
        "1qaz2wsx3edc4rfv5tgb",
        "administrator123",
        "asdfghjklqwertyuiop",
        "changemechangeme",
        "correct horse battery staple",
        "correcthorsebatterystaple",
        "iloveyouforever",
        "letmeinletmein123",
        "password12345678",
        "password123456789",
        "passwordpassword1",
        "qazwsxedcrfvtgb",
        "qwerty123456789",
        "qwerty1234567890",
        "stampcardstampcard",
        "thequickbrownfox",
        "zaq12wsxcde34rfv",
    }
)
_RUNS = (
    "01234567890123456789012345678901234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "いろはにほへとちりぬるをわかよたれそつねならむ",
    "あいうえおかきくけこさしすせそたちつてとなにぬねの",
)
_FEWEST_LETTERS = 5


def is_too_short(password: str) -> bool:
    """Fewer than `SHORTEST` characters, as people count them."""
    return len(_normal(password)) < SHORTEST


def is_common(password: str, *own: str) -> bool:
    """Is it well known, a run, a repetition, or one of the person's `own` words?"""
    plain = _normal(password).casefold()
    if plain in _COMMON or len(set(plain)) < _FEWEST_LETTERS:
        return True
    if any(plain in run or plain in run[::-1] for run in _RUNS):
        return True
    if any(plain in (word * 10) for word in map(str.casefold, own) if word):
        return True
    # "password" twice and "abc123abc123abc": the text moved by its period is itself.
    return plain in (plain + plain)[1:-1]


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
