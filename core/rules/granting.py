"""May these stamps be given, and what follows: the rule of the main job. Pure.

A refusal names the reason that is closest to being fulfilled and the earliest instant
at which asking again would succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.rules.asking import Refused
from core.rules.cycle import Advance, Step, advance
from core.rules.days import business_day, end_of
from core.rules.expiry import card_expires_at
from core.rules.redesign import later_expiry
from core.rules.types import (
    Card,
    Design,
    EntryKind,
    ProgramState,
    Why,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFacts:
    """All that the decision needs; `recent` are this card's grants of 72 h, kept."""

    card: Card
    design: Design
    program: ProgramState
    stamps: int
    recent: Sequence[datetime]
    zone: ZoneInfo
    day_starts_at: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantPlan:
    """What to write: entries in order, then the card's new state."""

    steps: tuple[Step, ...]
    advance: Advance
    first_stamp_at: datetime
    expires_at: datetime | None


def decide_grant(facts: GrantFacts) -> GrantPlan | Refused:
    """Decide on `facts.stamps` (≥ 1) stamps for `facts.card` at `facts.now`."""
    return _closed(facts) or _limited(facts) or plan_stamps(facts)


def plan_stamps(facts: GrantFacts, kind: EntryKind = "stamp") -> GrantPlan | Refused:
    """Where `facts.stamps` (≥ 1) take the card, whatever its program's limits say.

    Refused only where the stamps would be gone at once: after a fixed last day.
    """
    card, now = facts.card, facts.now
    expired = card.expires_at is not None and card.expires_at <= now
    # Also of no stamps: the line says where a new life of the card begins.
    gone = expired and (card.balance > 0 or card.first_stamp_at is not None)
    is_new = expired or card.first_stamp_at is None
    first = (not is_new and card.first_stamp_at) or now
    expires_at = card_expires_at(
        facts.design.expires,
        first=first,
        last=now,
        zone=facts.zone,
        day_starts_at=facts.day_starts_at,
    )
    if not is_new:
        # A design with a shorter expiry takes nothing back that was promised.
        expires_at = later_expiry(card.expires_at, expires_at)
    if expires_at is not None and expires_at <= now:
        return Refused(why=Why.expired_card, card_id=card.id)
    moved = advance(0 if expired else card.balance, facts.stamps, facts.design, kind)
    return GrantPlan(
        steps=((Step("expiry", -card.balance, 0),) if gone else ()) + moved.steps,
        advance=moved,
        first_stamp_at=first,
        expires_at=expires_at,
    )


def _closed(facts: GrantFacts) -> Refused | None:
    if facts.card.state == "stopped" or facts.program == "archived":
        return Refused(why=Why.card_stopped, card_id=facts.card.id)
    if facts.program == "paused":
        return Refused(why=Why.program_paused, card_id=facts.card.id)
    return None


def _limited(facts: GrantFacts) -> Refused | None:
    limit, now = facts.design.limit, facts.now
    today = business_day(now, facts.zone, facts.day_starts_at)
    tomorrow = end_of(today, facts.zone, facts.day_starts_at)
    of_today = [
        at
        for at in facts.recent
        if business_day(at, facts.zone, facts.day_starts_at) == today
    ]
    why, retry_at = None, None
    match limit.kind:
        case "none":
            pass
        case "day" if of_today:
            why, retry_at = Why.already_today, tomorrow
        case "per_day" if len(of_today) >= limit.n:
            why, retry_at = Why.daily_cap, tomorrow
        case "hours" if facts.recent:
            again = max(facts.recent) + timedelta(hours=limit.n)
            if again > now:
                why, retry_at = Why.too_soon, again
        case "day" | "per_day" | "hours":
            pass
    if why is None:
        return None
    return Refused(why=why, retry_at=retry_at, card_id=facts.card.id)
