"""Where stamps take a card, whatever its limits say: what to write for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core.rules.asking import Refused
from core.rules.cycle import Advance, Step, advance
from core.rules.expiry import promised_until
from core.rules.granting import is_expired
from core.rules.types import Card, Design, EntryKind, Expiry, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A card with what was promised to it, in its merchant's days, at an instant.

    `promises` are the expiries of the versions since the card began, the newest last.
    """

    card: Card
    design: Design
    promises: Sequence[Expiry]
    zone: ZoneInfo
    day_starts_at: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to write: entries in order, then the card's new state.

    `begins`: the card had expired, and its promises are those of its version alone.
    """

    steps: tuple[Step, ...]
    advance: Advance
    first_stamp_at: datetime | None
    last_stamp_at: datetime | None
    expires_at: datetime | None
    remainder: int
    begins: bool


def plan_stamps(
    place: Place, stamps: int, kind: EntryKind = "stamp", remainder: int = 0
) -> Plan | Refused:
    """Where `stamps` (≥ 0) take the card; `remainder` is kept of what was paid.

    Refused only where the stamps would be gone at once: after a fixed last day.
    """
    card, now = place.card, place.now
    begins = is_expired(card, now)
    balance, kept = (0, 0) if begins else (card.balance, card.remainder)
    first = None if begins else card.first_stamp_at
    # A purchase that is worth no stamp yet is no use of the card.
    used = (first or now, now) if stamps else (first, first and card.last_stamp_at)
    expires_at = promised_until(
        place.promises[-1:] if begins else place.promises,
        first=used[0],
        last=used[1],
        extended_to=None if begins else card.extended_to,
        zone=place.zone,
        day_starts_at=place.day_starts_at,
    )
    if expires_at is not None and expires_at <= now:
        return Refused(why=Why.expired_card, card_id=card.id)
    moved = _moved(balance, stamps, place.design, kind, remainder)
    return Plan(
        steps=_gone(card, begins=begins) + moved.steps,
        advance=moved,
        first_stamp_at=used[0],
        last_stamp_at=now if stamps else card.last_stamp_at,
        expires_at=expires_at,
        remainder=kept + remainder,
        begins=begins,
    )


def room_on(place: Place) -> int:
    """How many stamps fill the card: 0 where it is full."""
    if is_expired(place.card, place.now):
        return place.design.goal
    return max(place.design.goal - place.card.balance, 0)


def _moved(
    balance: int, stamps: int, design: Design, kind: EntryKind, remainder: int
) -> Advance:
    if not stamps:
        return Advance((Step(kind, 0, balance, remainder),), balance, 0, ())
    moved = advance(balance, stamps, design, kind)
    steps = tuple(
        replace(step, remainder=remainder) if step.kind == kind else step
        for step in moved.steps
    )
    return replace(moved, steps=steps)


def _gone(card: Card, *, begins: bool) -> tuple[Step, ...]:
    # Also of no stamps: the line says where a new life of the card begins.
    if not begins or not (card.balance or card.remainder or card.first_stamp_at):
        return ()
    return (Step("expiry", -card.balance, 0, -card.remainder),)
