"""What a health check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `stampcard check`."""

    name: str
    state: Literal["green", "yellow", "red"]
    text: str


def green(name: str, text: str) -> Finding:
    """As it must be."""
    return Finding(name, "green", text)


def yellow(name: str, text: str) -> Finding:
    """Worth knowing."""
    return Finding(name, "yellow", text)


def red(name: str, text: str) -> Finding:
    """Somebody must act."""
    return Finding(name, "red", text)
