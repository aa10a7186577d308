"""A card design as the fields of a form, and back to the shape of the merchant file.

The form shows exactly what was typed, also where it cannot be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import Invalid
from core.rules.publishing import (
    MAX_REWARDS,
    design_from_dict,
    design_to_dict,
)
from core.rules.types import Design, Reward
from webhooks.forms import Fields, text_of, texts_of, whole_number

_UNITS = {"m", "d"}
_TEXTS = (
    "name",
    "goal",
    "bonus",
    "limit_kind",
    "limit_hours",
    "limit_times",
    "expires_kind",
    "expires_months",
    "expires_on",
    "next_program",
    "background",
    "foreground",
    "icon",
    "guide",
    "thanks",
)
# Where a problem of the design is shown in the form.
_PLACES = {"limit": "limit_kind", "expires": "expires_kind"}
_GOAL_ROW = "goal_reward"


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


@dataclass(frozen=True, slots=True)
class DesignForm:
    """All fields as typed. `texts` by field name, the goal's reward apart."""

    texts: Mapping[str, str]
    remind_days: tuple[str, ...]
    goal_reward: Row
    rewards: tuple[Row, ...] = field(default=())

    def with_row(self) -> DesignForm:
        """One more empty reward, if there may be one."""
        if len(self.rewards) >= MAX_REWARDS - 1:
            return self
        return replace(self, rewards=(*self.rewards, Row()))

    def without_row(self, index: int) -> DesignForm:
        """Without the reward at this index."""
        kept = tuple(r for i, r in enumerate(self.rewards) if i != index)
        return replace(self, rewards=kept)

    def with_texts(self, **texts: str) -> DesignForm:
        """With some fields set."""
        return replace(self, texts={**self.texts, **texts})

    def design(self) -> Design:
        """What was typed as a design. `Invalid` names the fields of the form."""
        try:
            return design_from_dict(self.as_dict())
        except Invalid as error:
            raise Invalid(self._placed(error)) from None

    def design_or(self, last: Design) -> Design:
        """The design, with each field that cannot be kept as it is in `last`."""
        data, known = self.as_dict(), design_to_dict(last)
        try:
            return design_from_dict(data)
        except Invalid as error:
            wrong = error.problems
        if "goal" in wrong:
            # Rewards are measured by the goal, so that comes first.
            return self.with_texts(goal=str(last.goal)).design_or(last)
        data |= {name: known[name] for name in wrong if name in known}
        data["reward"] = _sound(data["reward"], wrong)
        try:
            return design_from_dict(data)
        except Invalid:
            return last

    def as_dict(self) -> dict[str, Any]:
        """The shape that `design_from_dict` reads, in the order of the rows."""
        texts = self.texts
        rows = [_reward(row) for row in self.rewards]
        goal = self.goal_reward
        if not goal.is_empty:
            rows.append(_reward(replace(goal, at=texts["goal"])))
        return {
            "name": texts["name"],
            "goal": texts["goal"],
            "bonus": texts["bonus"] or "0",
            "limit": _limit_text(texts),
            "expires": _expires_text(texts),
            "remind_days": [whole_number(day) for day in self.remind_days],
            "next_program": texts["next_program"] or None,
            "background": texts["background"],
            "foreground": texts["foreground"],
            "icon": texts["icon"],
            "guide": texts["guide"],
            "thanks": texts["thanks"],
            "reward": rows,
        }

    def _placed(self, error: Invalid) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, problem in error.problems.items():
            # Where the goal itself is wrong, no reward is measured by it.
            if "goal" in error.problems and name.endswith(".at"):
                continue
            found[self._place(name)] = problem
        return found

    def _place(self, name: str) -> str:
        if not name.startswith("reward."):
            return _PLACES.get(name, name)
        _, index, column = name.split(".")
        if int(index) < len(self.rewards):
            return name
        if column != "at":
            return f"{_GOAL_ROW}.{column}"
        # The goal's reward has no count of its own: another one stands at the goal.
        goal = whole_number(self.texts["goal"])
        others = [whole_number(row.at) for row in self.rewards]
        return f"reward.{others.index(goal)}.at" if goal in others else "reward"


def form_of_design(design: Design) -> DesignForm:
    """The form as it is first shown."""
    goal = next((r for r in design.rewards if r.at == design.goal), None)
    others = tuple(r for r in design.rewards if r.at != design.goal)
    limit, expires = design.limit, design.expires
    return DesignForm(
        texts={
            "name": design.name,
            "goal": str(design.goal),
            "bonus": str(design.bonus),
            "limit_kind": limit.kind,
            "limit_hours": str(limit.n) if limit.kind == "hours" else "3",
            "limit_times": str(limit.n) if limit.kind == "per_day" else "2",
            "expires_kind": expires.kind,
            "expires_months": str(expires.months or 12),
            "expires_on": expires.on.isoformat() if expires.on else "",
            "next_program": design.next_program or "",
            "background": design.look.background,
            "foreground": design.look.foreground,
            "icon": design.look.icon,
            "guide": design.guide,
            "thanks": design.thanks,
        },
        remind_days=tuple(str(day) for day in design.remind_days),
        goal_reward=_row(goal) if goal else Row(),
        rewards=tuple(_row(reward) for reward in others),
    )


def read_form(fields: Fields) -> DesignForm:
    """The form as a browser sent it; rows where nothing was typed are left out."""
    columns = [
        texts_of(fields, f"reward_{name}") for name in ("at", "name", "valid", "unit")
    ]
    rows = [Row(*values) for values in zip(*columns, strict=False)]
    typed = {name: text_of(fields, name) for name in _TEXTS}
    # Browsers send lines of a text area with CR LF.
    typed["guide"] = typed["guide"].replace("\r\n", "\n")
    # Colour fields give small letters, merchant files mostly have capitals.
    for name in ("background", "foreground"):
        typed[name] = typed[name].upper()
    return DesignForm(
        texts=typed,
        remind_days=tuple(texts_of(fields, "remind_days")),
        goal_reward=Row(
            name=text_of(fields, "goal_reward_name"),
            valid=text_of(fields, "goal_reward_valid"),
            unit=text_of(fields, "goal_reward_unit"),
        ),
        # A few more than may be kept, so that the page can say so.
        rewards=tuple(r for r in rows if not r.is_empty)[: 2 * MAX_REWARDS],
    )


def _row(reward: Reward) -> Row:
    valid = reward.valid or ""
    return Row(at=str(reward.at), name=reward.name, valid=valid[:-1], unit=valid[-1:])


def _reward(row: Row) -> dict[str, Any]:
    valid = f"{row.valid}{row.unit}" if row.valid and row.unit in _UNITS else None
    if row.valid and valid is None:
        valid = "?"  # a number without a unit is a mistake, not "for ever"
    return {"at": row.at, "name": row.name, "valid": valid}


def _limit_text(texts: Mapping[str, str]) -> str:
    match texts["limit_kind"]:
        case "hours":
            return f"{texts['limit_hours']}h"
        case "per_day":
            return f"{texts['limit_times']}/day"
        case kind:
            return kind


def _expires_text(texts: Mapping[str, str]) -> str:
    match texts["expires_kind"]:
        case "after_last":
            return f"{texts['expires_months']}m after last"
        case "after_first":
            return f"{texts['expires_months']}m after first"
        case "on":
            return texts["expires_on"] or "?"
        case kind:
            return kind


def _sound(rows: list[Any], problems: Iterable[str]) -> list[Any]:
    wrong = {name.split(".")[1] for name in problems if name.startswith("reward.")}
    return [r for i, r in enumerate(rows) if str(i) not in wrong][:MAX_REWARDS]
