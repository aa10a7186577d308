"""A design as text and back, and what is wrong with one: the merchant file, the
settings page and the database all use this one shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from core.errors import Invalid
from core.rules.fields import Problems, flag, line, matching, number, text_or_none
from core.rules.spending import double_hours_text, read_double_hours, read_spend
from core.rules.types import Design, Expiry, Gift, Limit, Look, Reward

MAX_GOAL = 50
MAX_MONTHS = 60
MAX_HOURS = 72
MAX_REWARDS = 10
MAX_CAP = 99
REMIND_DAYS = (1, 3, 7, 14, 30)

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
        "stamp_per": design.spend.per if design.spend else 0,
        "minimum": design.spend.minimum if design.spend else 0,
        "double_hours": [double_hours_text(span) for span in design.double_hours],
        "day_cap": design.day_cap,
        "referral": design.referral,
        "birthday_reward": design.birthday.name if design.birthday else "",
        "birthday_valid": design.birthday.valid if design.birthday else None,
        "screenshot_protection": design.changing_code,
        "reward": [
            {"at": r.at, "name": r.name, **({"valid": r.valid} if r.valid else {})}
            for r in design.rewards
        ],
    }


def design_from_dict(data: Mapping[str, Any]) -> Design:
    """Read a design; `Invalid` names every field that cannot be kept."""
    problems: Problems = {}
    goal = number(data, "goal", 10, 1, MAX_GOAL, problems)
    look = Look()
    design = Design(
        name=line(data, "name", "", 40, problems, required=True),
        goal=goal,
        rewards=_rewards(data.get("reward") or [], goal, problems),
        bonus=number(data, "bonus", 0, 0, max(goal - 1, 0), problems),
        limit=_limit(str(data.get("limit") or "none"), problems),
        expires=_expires(data.get("expires") or "none", problems),
        remind_days=_remind_days(data.get("remind_days") or [], problems),
        next_program=text_or_none(data.get("next_program")),
        look=Look(
            background=_colour(data, "background", look.background, problems),
            foreground=_colour(data, "foreground", look.foreground, problems),
            icon=matching(data, "icon", look.icon, _ICON, "invalid.icon", problems),
        ),
        guide=line(data, "guide", "", 500, problems),
        thanks=line(data, "thanks", "", 60, problems),
        spend=read_spend(data, problems),
        double_hours=read_double_hours(data.get("double_hours"), problems),
        day_cap=number(data, "day_cap", 0, 0, MAX_CAP, problems),
        referral=number(data, "referral", 0, 0, goal, problems),
        birthday=_gift(data, problems),
        changing_code=flag(data, "screenshot_protection", problems),
    )
    if problems:
        raise Invalid(problems)
    return design


def _colour(
    data: Mapping[str, Any], field: str, default: str, problems: Problems
) -> str:
    # One way to write each colour: browsers and merchant files differ.
    return matching(data, field, default, _COLOUR, "invalid.colour", problems).upper()


def _gift(data: Mapping[str, Any], problems: Problems) -> Gift | None:
    name = line(data, "birthday_reward", "", 40, problems)
    valid = text_or_none(data.get("birthday_valid"))
    if valid and not _VALID.fullmatch(valid):
        problems["birthday_valid"] = ("invalid.valid", {})
    return Gift(name=name, valid=valid) if name else None


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
        at = number(item, "at", goal, 1, goal, own)
        name = line(item, "name", "", 40, own, required=True)
        valid = text_or_none(item.get("valid"))
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
