"""What differs between two designs, in words."""

from __future__ import annotations

from core.rules.publishing import design_to_dict
from core.rules.spending import double_hours_text
from core.rules.types import (
    Design,
    DoubleHours,
    Expiry,
    Gift,
    Language,
    Limit,
    Reward,
    Spend,
)
from core.wording import say, say_yen
from webhooks.merchant.double_rows import DAYS

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
    return text + _valid(reward, language)


def spend_in_words(spend: Spend | None, language: Language) -> str:
    """What amount is one stamp, and from which purchase on."""
    if spend is None:
        return say("merchant.spend.none", language)
    text = say("merchant.spend.line", language, amount=say_yen(spend.per))
    if not spend.minimum:
        return text
    least = say_yen(spend.minimum)
    return f"{text} ({say('merchant.spend.from', language, amount=least)})"


def double_in_words(span: DoubleHours, language: Language) -> str:
    """Days and hours; an end that lies on the day after says so."""
    every = len(span.days) == len(DAYS)
    names = ["every"] if every else [DAYS[day] for day in span.days]
    days = [say(f"merchant.day.{name}", language) for name in names]
    start, end = double_hours_text(span).split(" ")[-1].split("-")
    if span.end == 0:
        end = "24:00"
    elif span.end <= span.start:
        end = say("merchant.double.next_day", language, time=end)
    hours = say("merchant.double.line", language, start=start, end=end)
    return f"{say('merchant.day.joint', language).join(days)} {hours}"


def gift_in_words(gift: Gift | None, language: Language) -> str:
    """A reward that no stamps earn, and how long it is valid; "" for none."""
    return "" if gift is None else gift.name + _valid(gift, language)


def _valid(reward: Reward | Gift, language: Language) -> str:
    if reward.valid is None:
        return ""
    unit = "months" if reward.valid.endswith("m") else "days"
    valid = say(f"merchant.reward.{unit}", language, n=int(reward.valid[:-1]))
    return f" ({valid})"


def _texts(design: Design, language: Language) -> dict[str, str]:
    data = design_to_dict(design)
    found = {name: str(data[name] or "") for name in _PLAIN}
    found["goal"], found["bonus"] = str(design.goal), str(design.bonus)
    found["rewards"] = "\n".join(reward_in_words(r, language) for r in design.rewards)
    found["limit_kind"] = limit_in_words(design.limit, language)
    found["expires_kind"] = expiry_in_words(design.expires, language)
    found["remind_days"] = ", ".join(str(day) for day in design.remind_days)
    found["spend"] = spend_in_words(design.spend, language)
    spans = [double_in_words(span, language) for span in design.double_hours]
    found["double_hours"] = "\n".join(spans)
    found["day_cap"] = _count(design.day_cap, language)
    found["referral"] = _count(design.referral, language)
    found["birthday"] = gift_in_words(design.birthday, language)
    found["screenshot_protection"] = (
        say("barcode.form.used", language) if design.changing_code else ""
    )
    found["icon"] = _icon(design, language)
    return found | {name: str(data[name]) for name in _LONG}


def _count(n: int, language: Language) -> str:
    return say("merchant.more.stamps", language, n=n) if n else ""


def _icon(design: Design, language: Language) -> str:
    icon = design.look.icon
    if icon.startswith("picture:"):
        # Two pictures must differ in words too, or the change would not be listed.
        return say("merchant.glyph.picture", language, id=icon[8:14])
    return say(f"merchant.glyph.{icon}", language)
