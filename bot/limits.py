"""How long texts may be for LINE, and cutting them without breaking a character.

LINE counts the text of messages in UTF-16 code units and labels in grapheme clusters:
https://developers.line.biz/en/docs/messaging-api/text-character-count/
Clusters here follow the rules of Unicode's UAX #29 that matter for names and shop
words (marks, joiners, flags, skin tones, Hangul), without its tables.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

TEXT = 5000
ALT_TEXT = 1500
ACTION_TEXT = 300
POSTBACK_DATA = 300
URI = 1000
BUTTON_LABEL = 40
QUICK_LABEL = 20
QUICK_REPLIES = 13
MESSAGES = 5
BUBBLES = 12
BUBBLE_BYTES = 30 * 1024
CAROUSEL_BYTES = 50 * 1024

_ELLIPSIS = "…"
_JOINER = "\u200d"
# Half-width voiced marks are letters by category, but belong to the kana before them.
_HALF_WIDTH_MARKS = "\uff9e\uff9f"


def utf16_length(text: str) -> int:
    """The length of `text` as LINE counts messages: UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def clusters(text: str) -> list[str]:
    """`text` in grapheme clusters: what a reader takes for one character each."""
    found: list[str] = []
    for character in text:
        if found and _belongs_to(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found


def cut_text(text: str, limit: int = TEXT) -> str:
    """`text` in at most `limit` UTF-16 units, ending in "…" where it was cut."""
    if utf16_length(text) <= limit:
        return text
    kept, room = "", limit - 1
    for cluster in clusters(text):
        room -= utf16_length(cluster)
        if room < 0:
            break
        kept += cluster
    return kept.rstrip() + _ELLIPSIS


def cut_label(text: str, limit: int = BUTTON_LABEL) -> str:
    """`text` in at most `limit` grapheme clusters, ending in "…" where it was cut."""
    found = clusters(text)
    if len(found) <= limit:
        return text
    return "".join(found[: limit - 1]).rstrip() + _ELLIPSIS


def sent_bytes(part: Any) -> int:
    """The size of a message part as the client sends it: JSON, escaped to ASCII."""
    return len(json.dumps(part))


def _belongs_to(cluster: str, character: str) -> bool:
    last = cluster[-1]
    if _is_extending(character):
        return last not in "\r\n"
    if last == _JOINER:
        return _is_pictograph(character)
    if _is_flag_letter(character):
        # Flags are pairs of letters: the third letter begins the next flag.
        return len(cluster) == 1 and _is_flag_letter(last)
    return (last == "\r" and character == "\n") or _is_hangul_pair(last, character)


def _is_extending(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or character == _JOINER
        or character in _HALF_WIDTH_MARKS
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of regional flags
    )


def _is_pictograph(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sm", "Sk", "Cn", "Po")


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_hangul_pair(last: str, character: str) -> bool:
    """Leading consonant + vowel, or vowel + closing consonant, typed as Jamo."""
    is_vowel = "\u1160" <= character <= "\u11a7"
    is_closing = "\u11a8" <= character <= "\u11ff"
    is_leading = "\u1100" <= character <= "\u115f"
    if "\u1100" <= last <= "\u115f":
        return is_vowel or is_leading or "\uac00" <= character <= "\ud7a3"
    if "\u1160" <= last <= "\u11a7" or "\uac00" <= last <= "\ud7a3":
        return is_vowel or is_closing
    return "\u11a8" <= last <= "\u11ff" and is_closing
