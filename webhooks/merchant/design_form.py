"""A card design as the fields of a form, and back to the shape of the merchant file.

The form shows exactly what was typed, also where it cannot be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import Invalid
from core.rules.fields import Problems
from core.rules.publishing import (
    MAX_REWARDS,
    design_from_dict,
    design_to_dict,
)
from core.rules.spending import MAX_DOUBLE_HOURS, MAX_PER
from core.rules.types import Design
from webhooks.forms import Fields, text_of, texts_of, whole_number
from webhooks.merchant.double_rows import (
    DoubleRow,
    double_problems,
    doubles_of,
    read_doubles,
)
from webhooks.merchant.reward_rows import Row, read_row, read_rows, row_of

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
    "spend_kind",
    "stamp_per",
    "minimum",
    "day_cap",
    "referral",
    "screenshot_protection",
)
# Where a problem of the design is shown in the form.
_PLACES = {
    "limit": "limit_kind",
    "expires": "expires_kind",
    "birthday_reward": "birthday.name",
    "birthday_valid": "birthday.valid",
}
_GOAL_ROW = "goal_reward"


@dataclass(frozen=True, slots=True)
class DesignForm:
    """All fields as typed. `texts` by field name, the goal's reward apart."""

    texts: Mapping[str, str]
    remind_days: tuple[str, ...]
    goal_reward: Row
    birthday: Row
    rewards: tuple[Row, ...] = field(default=())
    doubles: tuple[DoubleRow, ...] = field(default=())

    @property
    def n_more(self) -> int:
        """How many of the rarely used settings are in use."""
        counts = [self.texts["day_cap"], self.texts["referral"]]
        return sum(
            [
                self.texts["spend_kind"] == "amount",
                bool(self.doubles),
                not self.birthday.is_empty,
                bool(self.texts["screenshot_protection"]),
                *(count not in {"", "0"} for count in counts),
            ]
        )

    def with_double(self) -> DesignForm:
        """One more empty row of double hours, if there may be one."""
        if len(self.doubles) >= MAX_DOUBLE_HOURS:
            return self
        return replace(self, doubles=(*self.doubles, DoubleRow()))

    def without_double(self, index: int) -> DesignForm:
        """Without the row of double hours at this index."""
        kept = tuple(r for i, r in enumerate(self.doubles) if i != index)
        return replace(self, doubles=kept)

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
        own = self._own_problems()
        try:
            design = design_from_dict(self.as_dict())
        except Invalid as error:
            raise Invalid({**self._placed(error), **own}) from None
        if own:
            raise Invalid(own)
        return design

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
        rows = [row.as_dict() for row in self.rewards]
        goal = self.goal_reward
        if not goal.is_empty:
            rows.append(replace(goal, at=texts["goal"]).as_dict())
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
            **self._spend(),
            "double_hours": [row.text for row in self.doubles if not row.is_empty],
            "day_cap": texts["day_cap"] or "0",
            "referral": texts["referral"] or "0",
            "birthday_reward": self.birthday.name,
            "birthday_valid": self.birthday.validity,
            "screenshot_protection": bool(texts["screenshot_protection"]),
            "reward": rows,
        }

    def _spend(self) -> dict[str, str]:
        if self.texts["spend_kind"] != "amount":
            return {}
        # In a merchant's file 0 is for none; here, something else says that.
        per = self.texts["stamp_per"].lstrip("0") or "?"
        return {"stamp_per": per, "minimum": self.texts["minimum"] or "0"}

    def _own_problems(self) -> Problems:
        """What a merchant's file could leave out, and a form must not."""
        if self.birthday.valid and not self.birthday.name:
            return {"birthday.name": ("invalid.empty", {})}
        return {}

    def _placed(self, error: Invalid) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, problem in error.problems.items():
            if name == "double_hours":
                found |= double_problems(self.doubles)
                continue
            if name == "stamp_per":
                found[name] = ("invalid.number", {"min": 1, "max": MAX_PER})
                continue
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
            "spend_kind": "amount" if design.spend else "none",
            "stamp_per": str(design.spend.per) if design.spend else "500",
            "minimum": str(design.spend.minimum or "") if design.spend else "",
            "day_cap": str(design.day_cap or ""),
            "referral": str(design.referral or ""),
            "screenshot_protection": "1" if design.changing_code else "",
        },
        remind_days=tuple(str(day) for day in design.remind_days),
        goal_reward=row_of(goal),
        birthday=row_of(design.birthday),
        rewards=tuple(row_of(reward) for reward in others),
        doubles=doubles_of(design.double_hours),
    )


def read_form(fields: Fields) -> DesignForm:
    """The form as a browser sent it; rows where nothing was typed are left out."""
    typed = {name: text_of(fields, name) for name in _TEXTS}
    # Browsers send lines of a text area with CR LF.
    typed["guide"] = typed["guide"].replace("\r\n", "\n")
    # Colour fields give small letters, merchant files mostly have capitals.
    for name in ("background", "foreground"):
        typed[name] = typed[name].upper()
    return DesignForm(
        texts=typed,
        remind_days=tuple(texts_of(fields, "remind_days")),
        goal_reward=read_row(fields, "goal_reward"),
        birthday=read_row(fields, "birthday"),
        rewards=read_rows(fields),
        doubles=read_doubles(fields),
    )


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
