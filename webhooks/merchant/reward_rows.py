"""Rewards as rows of a form: a count, a name, and how long it is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.rules.publishing import MAX_REWARDS
from core.rules.types import Gift, Reward
from webhooks.forms import Fields, text_of, texts_of

_UNITS = {"m", "d"}


@dataclass(frozen=True, slots=True)
class Row:
    """One reward as typed: its count, name, and validity as number and unit."""

    at: str = ""
    name: str = ""
    valid: str = ""
    unit: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing was typed."""
        return not (self.at or self.name or self.valid)

    @property
    def validity(self) -> str | None:
        """As in a merchant's file: "3m"; None for ever."""
        if not self.valid:
            return None
        # A number without a unit is a mistake, not "for ever".
        return f"{self.valid}{self.unit}" if self.unit in _UNITS else "?"

    def as_dict(self) -> dict[str, Any]:
        """As `design_from_dict` reads it."""
        return {"at": self.at, "name": self.name, "valid": self.validity}


def row_of(reward: Reward | Gift | None) -> Row:
    """The row as it is first shown; an empty one for none."""
    if reward is None:
        return Row()
    at = str(reward.at) if isinstance(reward, Reward) else ""
    valid = reward.valid or ""
    return Row(at=at, name=reward.name, valid=valid[:-1], unit=valid[-1:])


def read_row(fields: Fields, prefix: str) -> Row:
    """A reward that has no count of its own, from fields named after it."""
    return Row(
        name=text_of(fields, f"{prefix}_name"),
        valid=text_of(fields, f"{prefix}_valid"),
        unit=text_of(fields, f"{prefix}_unit"),
    )


def read_rows(fields: Fields) -> tuple[Row, ...]:
    """The rewards on the way as a browser sent them, without rows left empty."""
    columns = [
        texts_of(fields, f"reward_{name}") for name in ("at", "name", "valid", "unit")
    ]
    rows = [Row(*values) for values in zip(*columns, strict=False)]
    # A few more than may be kept, so that the page can say so.
    return tuple(r for r in rows if not r.is_empty)[: 2 * MAX_REWARDS]
