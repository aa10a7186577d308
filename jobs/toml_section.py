"""Reading one table of a TOML file strictly: every key known, every problem noted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.wording import say


class Section:
    """A table that notes what is wrong with it in `problems`, one line each.

    `place` is how a person finds it: `shop[2]`. Relative file names are found beside
    the TOML file, in `folder`.
    """

    def __init__(
        self, data: Mapping[str, Any], place: str, folder: Path, problems: list[str]
    ) -> None:
        self._data = data
        self._place = place
        self._folder = folder
        self._asked: set[str] = set()
        self.problems = problems

    def has(self, name: str) -> bool:
        """Does the file say anything of `name`?"""
        self._asked.add(name)
        return name in self._data

    def text(
        self,
        name: str,
        *,
        default: str | None = None,
        longest: int = 100,
        pattern: str = r"[^\x00-\x1f\x7f]*",
        advice: str = "",
    ) -> str:
        """A text. Without a `default` it must be there and not be empty."""
        if not self.has(name) and default is not None:
            return default
        value = self._data.get(name, "")
        if not isinstance(value, str):
            self.note(name, "must be a text in quotes")
        elif not value.strip() and default is None:
            self.note(name, say("invalid.empty", "en"))
        elif len(value) > longest:
            self.note(name, say("invalid.long", "en", max=longest))
        elif not re.fullmatch(pattern, value.strip()):
            self.note(name, advice or say("invalid.control", "en"))
        else:
            return value.strip()
        return ""

    def secret(self, name: str) -> str | None:
        """A text exactly as it stands, or None where it is left out."""
        if not self.has(name):
            return None
        value = self._data[name]
        if isinstance(value, str):
            return value
        self.note(name, "must be a text in quotes")
        return None

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some words; it must be there."""
        value = self.text(name)
        if value and value not in choices:
            self.note(name, f"must be one of {', '.join(choices)}")
        return value

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number between both, inclusive."""
        if not self.has(name):
            return default
        value = self._data[name]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and low <= value <= high:
            return int(value)
        self.note(name, say("invalid.number", "en", min=low, max=high))
        return default

    def degrees(self, name: str, limit: float) -> float | None:
        """An angle within ±`limit` degrees, or None where it is left out."""
        if not self.has(name):
            return None
        value = self._data[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and -limit <= value <= limit:
            return float(value)
        self.note(name, f"must be a number of degrees from -{limit:g} to {limit:g}")
        return None

    def texts(self, name: str, choices: tuple[str, ...]) -> list[str]:
        """A list of words out of `choices`, all of them where it is left out."""
        value = self._data.get(name, list(choices)) if self.has(name) else [*choices]
        if isinstance(value, list) and value and all(v in choices for v in value):
            return list(dict.fromkeys(value))
        self.note(name, f"must be a list of {', '.join(choices)}")
        return [*choices]

    def content(self, name: str) -> str:
        """The text of the file that `name` names; it must be there."""
        path = self.text(name, longest=4096)
        if not path:
            return ""
        try:
            return (self._folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            self.note(name, f"cannot read {self._folder / path}: {reason}")
            return ""

    def table(self, name: str) -> Section | None:
        """The table below this one, or None."""
        if not self.has(name):
            return None
        value = self._data[name]
        if isinstance(value, Mapping):
            return Section(value, self._path(name), self._folder, self.problems)
        self.note(name, f"must be a table: [{name}]")
        return None

    def tables(self, name: str) -> list[Section]:
        """The tables of a list: `[[shop]]`."""
        value = self._data.get(name, []) if self.has(name) else []
        if not isinstance(value, list) or any(not isinstance(v, dict) for v in value):
            self.note(name, f"must be a list of tables: [[{name}]]")
            return []
        return [
            Section(v, f"{self._path(name)}[{n}]", self._folder, self.problems)
            for n, v in enumerate(value, start=1)
        ]

    def values(self, *names: str) -> dict[str, Any]:
        """Some values as they stand, for a reader that checks them itself."""
        return {name: self._data[name] for name in names if self.has(name)}

    def note(self, name: str, problem: str) -> None:
        """Note what is wrong with a key."""
        self.problems.append(f"{self._path(name)}: {problem}")

    def refuse_unknown(self) -> None:
        """Note every key that nobody has asked for: a mistyped one must not pass."""
        for name in self._data:
            if name not in self._asked:
                self.note(name, "no such key")

    def _path(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name
