"""Texts no longer than Google shows, cut where a reader would not stumble. Pure."""

from __future__ import annotations

import unicodedata


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` letters, with … where something is left out."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    # Never between a letter and its mark, nor inside a joined emoji.
    while short and (_joins(text[len(short)]) or text[len(short) - 1] == "\u200d"):
        short = short[:-1]
    return (short or text[: limit - 1]).rstrip() + "…"


def _joins(letter: str) -> bool:
    return unicodedata.combining(letter) > 0 or letter in "\u200d\ufe0e\ufe0f"
