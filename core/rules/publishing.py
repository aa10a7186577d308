"""A design as text and back, and what is wrong with one: the merchant file, the
settings page and the database all use this one shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from core.errors import Invalid
from core.rules.types import Design, Expiry, Limit, Look, Reward

MAX_GOAL = 50
MAX_MONTHS = 60
MAX_HOURS = 72
MAX_REWARDS = 10
REMIND_DAYS = (1, 3, 7, 14, 30)

Problems = dict[str, tuple[str, Mapping[str, object]]]

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_ICON = re.compile(r"[a-z]{2,20}|picture:[0-9a-f]{64}")
_VALID = re.compile(r"[1-9]\d{0,2}[md]")
_EXPIRES = re.compile(r"(\d{1,2})m after (last|first)")


def design_to_dict(design: Design) -> dict[str, Any]:
    """The design as plain JSON values, in the shape of the merchant file."""
    return {
        "name": design.name,
        "goal": design.goal,
        "bonus": design.bonus,
        "limit": _limit_text(design.limit),
        "expires": _expires_text(design.expires),
        "remind_days": list(design.remind_days),
        "next_program": design.next_program,
        "background": design.look.background,
        "foreground": design.look.foreground,
        "icon": design.look.icon,
        "guide": design.guide,
        "thanks": design.thanks,
        "reward": [
            {"at": r.at, "name": r.name, **({"valid": r.valid} if r.valid else {})}
            for r in design.rewards
        ],
    }


def design_from_dict(data: Mapping[str, Any]) -> Design:
    """Read a design; `Invalid` names every field that cannot be kept."""
    problems: Problems = {}
    goal = _number(data, "goal", 10, 1, MAX_GOAL, problems)
    look = Look()
    design = Design(
        name=_line(data, "name", "", 40, problems, required=True),
        goal=goal,
        rewards=_rewards(data.get("reward") or [], goal, problems),
        bonus=_number(data, "bonus", 0, 0, max(goal - 1, 0), problems),
        limit=_limit(str(data.get("limit") or "none"), problems),
        expires=_expires(data.get("expires") or "none", problems),
        remind_days=_remind_days(data.get("remind_days") or [], problems),
        next_program=_text_or_none(data.get("next_program")),
        look=Look(
            background=_matching(
                data, "background", look.background, _COLOUR, problems
            ),
            foreground=_matching(
                data, "foreground", look.foreground, _COLOUR, problems
            ),
            icon=_matching(data, "icon", look.icon, _ICON, problems),
        ),
        guide=_line(data, "guide", "", 500, problems),
        thanks=_line(data, "thanks", "", 60, problems),
    )
    if problems:
        raise Invalid(problems)
    return design


def _limit(text: str, problems: Problems) -> Limit:
    hours = re.fullmatch(r"(\d{1,2})h", text)
    per_day = re.fullmatch(r"(\d{1,2})/day", text)
    if text in {"none", "day"}:
        return Limit(kind="day" if text == "day" else "none")
    if hours and 1 <= int(hours[1]) <= MAX_HOURS:
        return Limit(kind="hours", n=int(hours[1]))
    if per_day and int(per_day[1]) >= 1:
        return Limit(kind="per_day", n=int(per_day[1]))
    problems["limit"] = ("invalid.limit", {"max": MAX_HOURS})
    return Limit()


def _limit_text(limit: Limit) -> str:
    return {"hours": f"{limit.n}h", "per_day": f"{limit.n}/day"}.get(
        limit.kind, limit.kind
    )


def _expires(value: object, problems: Problems) -> Expiry:
    if isinstance(value, date):
        return Expiry(kind="on", on=value)
    text = str(value)
    if text == "none":
        return Expiry()
    months = _EXPIRES.fullmatch(text)
    if months and 1 <= int(months[1]) <= MAX_MONTHS:
        count = int(months[1])
        if months[2] == "last":
            return Expiry(kind="after_last", months=count)
        return Expiry(kind="after_first", months=count)
    try:
        return Expiry(kind="on", on=date.fromisoformat(text))
    except ValueError:
        problems["expires"] = ("invalid.expires", {"max": MAX_MONTHS})
        return Expiry()


def _expires_text(expires: Expiry) -> str:
    match expires.kind:
        case "none":
            return "none"
        case "after_last":
            return f"{expires.months}m after last"
        case "after_first":
            return f"{expires.months}m after first"
        case "on":
            return expires.on.isoformat() if expires.on else "none"


def _rewards(items: Any, goal: int, problems: Problems) -> tuple[Reward, ...]:
    if not isinstance(items, list) or len(items) > MAX_REWARDS:
        problems["reward"] = ("invalid.rewards", {"max": MAX_REWARDS})
        return ()
    found: dict[int, Reward] = {}
    for index, item in enumerate(items):
        place = f"reward.{index}"
        if not isinstance(item, Mapping):
            problems[place] = ("invalid.reward", {})
            continue
        own: Problems = {}
        at = _number(item, "at", goal, 1, goal, own)
        name = _line(item, "name", "", 40, own, required=True)
        valid = _text_or_none(item.get("valid"))
        if valid and not _VALID.fullmatch(valid):
            own["valid"] = ("invalid.valid", {})
        if at in found:
            own["at"] = ("invalid.reward_twice", {"at": at})
        problems.update({f"{place}.{field}": problem for field, problem in own.items()})
        found[at] = Reward(at=at, name=name, valid=valid)
    return tuple(found[at] for at in sorted(found))


def _remind_days(items: Any, problems: Problems) -> tuple[int, ...]:
    days = items if isinstance(items, list) else [items]
    if all(isinstance(day, int) and day in REMIND_DAYS for day in days):
        return tuple(sorted(set(days), reverse=True))
    problems["remind_days"] = ("invalid.remind_days", {})
    return ()


def _number(
    data: Mapping[str, Any],
    field: str,
    default: int,
    low: int,
    high: int,
    found: Problems,
) -> int:
    value = data.get(field, default)
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if low <= number <= high:
        return number
    found[field] = ("invalid.number", {"min": low, "max": high})
    return default


def _line(
    data: Mapping[str, Any],
    field: str,
    default: str,
    longest: int,
    found: Problems,
    *,
    required: bool = False,
) -> str:
    value = data.get(field, default)
    text = value.strip() if isinstance(value, str) else ""
    if required and not text:
        found[field] = ("invalid.empty", {})
    elif len(text) > longest:
        found[field] = ("invalid.long", {"max": longest})
    elif any(ord(letter) < ord(" ") and letter not in "\r\n" for letter in text):
        found[field] = ("invalid.control", {})
    else:
        return text
    return default


def _matching(
    data: Mapping[str, Any],
    field: str,
    default: str,
    pattern: re.Pattern[str],
    found: Problems,
) -> str:
    value = str(data.get(field) or default)
    if pattern.fullmatch(value):
        return value
    found[field] = (f"invalid.{'icon' if field == 'icon' else 'colour'}", {})
    return default


def _text_or_none(value: object) -> str | None:
    return str(value).strip() or None if value else None
