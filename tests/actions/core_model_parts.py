"""The days, and the stamps of one card, as plainly as possible: see `core_model`."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from core.rules.types import Design

# Tokyo has no summer time; the business day begins at five.
ZONE = timedelta(hours=9)
CUT = timedelta(hours=5)


def business_day(at: datetime) -> date:
    return (at + ZONE - CUT).date()


def end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) - ZONE + CUT + timedelta(days=1)


def ends_at(design: Design, first: datetime | None, last: datetime | None):
    expires = design.expires
    if expires.kind == "on":
        return end_of(expires.on)
    start = {"after_first": first, "after_last": last}.get(expires.kind)
    if start is None:
        return None
    day = business_day(start)
    year, month = divmod(day.year * 12 + day.month - 1 + expires.months, 12)
    longest = monthrange(year, month + 1)[1]
    return end_of(date(year, month + 1, min(day.day, longest)))


def takes_stamps(design: Design, now: datetime) -> bool:
    """Is the design's fixed last day still to come?"""
    end = ends_at(design, now, now)
    return end is None or end > now


def is_doubled(design: Design, now: datetime) -> bool:
    """Do its double hours cover this minute?"""
    for span in design.double_hours:
        for back in (0, 1):
            local = now + ZONE - timedelta(days=back)
            minute = local.hour * 60 + local.minute + 1440 * back
            end = span.end if span.end > span.start else span.end + 1440
            if local.weekday() in span.days and span.start <= minute < end:
                return True
    return False


@dataclass(frozen=True)
class Event:
    """Something in a card's life: give, take, expire or turn (to another version)."""

    what: str
    at: datetime
    stamps: int = 0
    how: str = ""  # of give: grant, claim, adjust, bonus, merge
    entry: str = ""
    design: Design | None = None  # in force after it
    moved: bool = False  # of turn: it changed what the card shows
    kept: int = 0  # of give: what changed of the remainder


@dataclass
class Ticket:
    """A voucher as the model knows it; `born` is the event that issued it."""

    at: int
    entry: str
    born: int
    state: str = "issued"
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None
    elsewhere: bool = False  # no voucher: the stamps had earned it on another card


@dataclass
class Shown:
    """What a card shows: counted one stamp after another."""

    stamps: int = 0
    full: int = 0  # how often it was full
    earned: list[int] = field(default_factory=list)
    here: list[int] = field(default_factory=list)

    def give(self, count: int, design: Design) -> None:
        for _ in range(count):
            if self.stamps == design.goal:
                self.stamps, self.here = 0, []
            self.stamps += 1
            if self.stamps in {reward.at for reward in design.rewards}:
                self.earned.append(self.stamps)
                self.here.append(self.stamps)
            if self.stamps == design.goal:
                self.full += 1

    def take(self, count: int, design: Design) -> list[int]:
        if self.stamps == design.goal:
            self.full -= 1
        self.stamps -= count
        gone = [at for at in self.here if at > self.stamps]
        for at in gone:
            self.here.remove(at)
            self.earned.remove(at)
        return gone

    def turn(self, old: Design, new: Design) -> bool:
        """True when the card moved; rewards of a lowered goal count as earned."""
        if old.goal == new.goal:
            return False
        if self.stamps == old.goal:
            self.stamps, self.here = 0, []
            return True
        moved = False
        while self.stamps >= new.goal:
            self.stamps, self.here, moved = self.stamps - new.goal, [], True
            self.full += 1
            self.earned += [r.at for r in new.rewards if r.at == new.goal]
        return moved
