"""May stamps be given, and how many: the rule of the main job. Pure.

A refusal names the reason that is closest to being fulfilled and the earliest instant
at which asking again would succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.rules.asking import Refused
from core.rules.days import business_day, end_of
from core.rules.spending import is_double, stamps_for
from core.rules.types import Card, Design, ProgramState, Why

# An instant at which the card got stamps, and how many.
Given = tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFacts:
    """All that the decision needs: `stamps` or an `amount` for `card` at `now`.

    `recent` are the grants of the last 73 h that were kept: this card's, and those of
    the cards that led to it.
    """

    card: Card
    design: Design
    program: ProgramState
    stamps: int
    amount: int | None = None
    recent: Sequence[Given]
    zone: ZoneInfo
    day_starts_at: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What to give: stamps (0 only for an amount), and what is kept of the amount."""

    stamps: int
    remainder: int = 0
    doubled: bool = False


def decide_grant(facts: GrantFacts) -> Worth | Refused:
    """Decide on `facts.stamps` (≥ 1), or on what `facts.amount` (≥ 1) is worth."""
    refused = _closed(facts) or _limited(facts)
    return refused or _worth(facts)


def is_expired(card: Card, now: datetime) -> bool:
    """Has the card's time run out?"""
    return card.expires_at is not None and card.expires_at <= now


def _closed(facts: GrantFacts) -> Refused | None:
    if facts.card.state == "stopped" or facts.program == "archived":
        return Refused(why=Why.card_stopped, card_id=facts.card.id)
    if facts.program == "paused":
        return Refused(why=Why.program_paused, card_id=facts.card.id)
    return None


def _limited(facts: GrantFacts) -> Refused | None:
    # All must be met, so the one that takes longest says when.
    found = [*_by_limit(facts), *_by_cap(facts)]
    if not found:
        return None
    retry_at, why = max(found, key=lambda each: each[0])
    return Refused(why=why, retry_at=retry_at, card_id=facts.card.id)


def _by_limit(facts: GrantFacts) -> list[tuple[datetime, Why]]:
    limit, today = facts.design.limit, _of_today(facts)
    match limit.kind:
        case "day" if today:
            return [(_tomorrow(facts), Why.already_today)]
        case "per_day" if len(today) >= limit.n:
            return [(_tomorrow(facts), Why.daily_cap)]
        case "hours" if facts.recent:
            again = max(at for at, _ in facts.recent) + timedelta(hours=limit.n)
            return [(again, Why.too_soon)] if again > facts.now else []
        case "none" | "day" | "per_day" | "hours":
            return []


def _by_cap(facts: GrantFacts) -> list[tuple[datetime, Why]]:
    cap = facts.design.day_cap
    if not cap or sum(_of_today(facts)) < cap:
        return []
    return [(_tomorrow(facts), Why.daily_cap)]


def _worth(facts: GrantFacts) -> Worth | Refused:
    design, stamps, remainder = facts.design, facts.stamps, 0
    if facts.amount is not None and design.spend is not None:
        if facts.amount < design.spend.minimum:
            return Refused(why=Why.below_minimum, card_id=facts.card.id)
        kept = 0 if is_expired(facts.card, facts.now) else facts.card.remainder
        purchase = stamps_for(facts.amount, kept, design.spend)
        stamps, remainder = purchase.stamps, purchase.remainder
    doubled = is_double(design.double_hours, facts.now, facts.zone)
    stamps *= 2 if doubled else 1
    if design.day_cap:
        stamps = min(stamps, design.day_cap - sum(_of_today(facts)))
    return Worth(stamps=stamps, remainder=remainder, doubled=doubled and stamps > 0)


def _of_today(facts: GrantFacts) -> list[int]:
    today = business_day(facts.now, facts.zone, facts.day_starts_at)
    return [
        stamps
        for at, stamps in facts.recent
        if business_day(at, facts.zone, facts.day_starts_at) == today
    ]


def _tomorrow(facts: GrantFacts) -> datetime:
    today = business_day(facts.now, facts.zone, facts.day_starts_at)
    return end_of(today, facts.zone, facts.day_starts_at)
