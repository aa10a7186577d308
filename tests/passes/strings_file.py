"""Reads Apple's .strings files letter by letter, for the tests alone.

The grammar is that of old property lists: "key" = "value"; with C's escapes, \\U and
four hex digits for any UTF-16 unit, and comments. What does not fit is an error: a
phone drops the whole file then, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

_SHORT = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    '"': '"',
    "'": "'",
    "\\": "\\",
}


class BadStrings(ValueError):
    """The file is none; the message says where it went wrong."""


def read_strings(content: bytes) -> dict[str, str]:
    """The pairs of a file in UTF-16 with its byte order mark, or in UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16")
    else:
        text = content.decode("utf-8")
    reader, found = _Reader(text), {}
    while not reader.is_over():
        key = reader.quoted()
        reader.sign("=")
        value = reader.quoted()
        reader.sign(";")
        if key in found:
            raise BadStrings(f"{key!r} is there twice")
        found[key] = value
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def is_over(self) -> bool:
        self._skip()
        return self._at >= len(self._text)

    def sign(self, wanted: str) -> None:
        self._skip()
        if self._next() != wanted:
            raise BadStrings(f"no {wanted} before {self._at}")

    def quoted(self) -> str:
        self._skip()
        if self._next() != '"':
            raise BadStrings(f"no text before {self._at}")
        units = "".join(self._units())
        # Escaped halves of one letter belong together.
        return units.encode("utf-16", "surrogatepass").decode("utf-16")

    def _units(self) -> Iterator[str]:
        while (letter := self._next()) != '"':
            yield self._escape() if letter == "\\" else letter

    def _escape(self) -> str:
        letter = self._next()
        if letter in "Uu":
            digits = "".join(self._next() for _ in range(4))
            return chr(int(digits, 16))
        if letter not in _SHORT:
            raise BadStrings(f"\\{letter} is no escape, before {self._at}")
        return _SHORT[letter]

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1
        if self._text.startswith("/*", self._at):
            self._at = self._text.index("*/", self._at) + 2
            self._skip()

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise BadStrings("it ends too early")
        self._at += 1
        return self._text[self._at - 1]
