"""What differs between two designs, in words."""

from __future__ import annotations

from core.rules.publishing import design_to_dict
from core.rules.types import (
    Design,
    Expiry,
    Language,
    Limit,
    Reward,
)
from core.wording import say

Change = tuple[str, str, str]

_PLAIN = ("name", "goal", "bonus", "next_program", "background", "foreground")
_LONG = ("guide", "thanks")


def changes(old: Design, new: Design, language: Language) -> list[Change]:
    """(what, before, after) for every setting that changes; "-" for nothing."""
    one, other = _texts(old, language), _texts(new, language)
    return [
        (say(f"merchant.card.{name}", language), one[name] or "-", other[name] or "-")
        for name in one
        if one[name] != other[name]
    ]


def limit_in_words(limit: Limit, language: Language) -> str:
    """取得制限 as the form names it."""
    return say(f"merchant.limit.{limit.kind}_n", language, n=limit.n)


def expiry_in_words(expires: Expiry, language: Language) -> str:
    """有効期限 as the form names it."""
    day = expires.on.isoformat() if expires.on else ""
    key = f"merchant.expires.{expires.kind}_n"
    return say(key, language, n=expires.months, day=day)


def reward_in_words(reward: Reward, language: Language) -> str:
    """A reward with its count and how long it is valid."""
    text = say("merchant.reward.line", language, n=reward.at, name=reward.name)
    if reward.valid is None:
        return text
    unit = "months" if reward.valid.endswith("m") else "days"
    valid = say(f"merchant.reward.{unit}", language, n=int(reward.valid[:-1]))
    return f"{text} ({valid})"


def _texts(design: Design, language: Language) -> dict[str, str]:
    data = design_to_dict(design)
    found = {name: str(data[name] or "") for name in _PLAIN}
    found["goal"], found["bonus"] = str(design.goal), str(design.bonus)
    found["rewards"] = "\n".join(reward_in_words(r, language) for r in design.rewards)
    found["limit_kind"] = limit_in_words(design.limit, language)
    found["expires_kind"] = expiry_in_words(design.expires, language)
    found["remind_days"] = ", ".join(str(day) for day in design.remind_days)
    found["icon"] = _icon(design, language)
    return found | {name: str(data[name]) for name in _LONG}


def _icon(design: Design, language: Language) -> str:
    icon = design.look.icon
    if icon.startswith("picture:"):
        # Two pictures must differ in words too, or the change would not be listed.
        return say("merchant.glyph.picture", language, id=icon[8:14])
    return say(f"merchant.glyph.{icon}", language)
