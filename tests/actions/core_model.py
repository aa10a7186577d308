"""What a card ought to do, told a second time and as plainly as possible: one stamp
after another over the whole story of the card. Nothing of `core.rules` decides here.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

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


def later(one: datetime | None, other: datetime | None):
    return None if one is None or other is None else max(one, other)


@dataclass(frozen=True)
class Event:
    """Something in a card's life: give, take, expire or publish."""

    what: str
    at: datetime
    stamps: int = 0
    how: str = ""  # of give: grant, adjust, bonus
    entry: str = ""
    design: Design | None = None  # in force after it
    moved: bool = False  # of publish: it changed what the card shows


@dataclass
class Ticket:
    """A voucher as the model knows it; `born` is the event that issued it."""

    at: int
    entry: str
    born: int
    state: str = "issued"
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None


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

    def publish(self, old: Design, new: Design) -> bool:
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


class ModelCard:
    """One card: its story, and what follows from it."""

    def __init__(self, design: Design, now: datetime) -> None:
        self.first_design = self.design = design
        self.story: list[Event] = []
        self.undone: set[str] = set()
        self.tickets: dict[str, Ticket] = {}
        self.total = self.cycle = 0
        self.expires_at = ends_at(design, None, None)
        if design.bonus:
            self.story.append(
                Event("give", now, design.bonus, "bonus", "bonus", design)
            )
            self.total = design.bonus
            self.expires_at = ends_at(design, now, now)

    # --- reading -----------------------------------------------------------------

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    @property
    def began(self) -> int:
        """The index of the event after which the card last began anew; or -1."""
        found = -1
        for index, event in enumerate(self.story):
            if event.what == "expire" or event.moved:
                found = index
        return found

    def shown(self, without: str = "") -> Shown | None:
        """Since it began anew; None where another story would have come out."""
        start = self.began
        shown = Shown()
        design = self.first_design
        if start >= 0:
            event = self.story[start]
            shown.stamps, design = event.stamps, event.design
        for event in self.story[start + 1 :]:
            if event.what == "publish":
                if shown.publish(design, event.design):
                    return None
                design = event.design
            elif event.entry in self.undone or event.entry == without:
                continue
            elif event.what == "give":
                shown.give(event.stamps, event.design)
            elif event.what == "take":
                if event.stamps > shown.stamps:
                    return None
                shown.take(event.stamps, event.design)
        return shown

    @property
    def balance(self) -> int:
        return self.shown().stamps

    def uses(self) -> list[Event]:
        """What was given since the last expiry and kept."""
        return [e for e in self._life() if e.what == "give"]

    def _life(self) -> list[Event]:
        expired = [i for i, e in enumerate(self.story) if e.what == "expire"]
        life = self.story[expired[-1] + 1 :] if expired else self.story
        return [e for e in life if e.entry not in self.undone]

    @property
    def first_stamp_at(self) -> datetime | None:
        uses = self.uses()
        return uses[0].at if uses else None

    @property
    def last_stamp_at(self) -> datetime | None:
        given = [
            e.at
            for e in self.story
            if e.what == "give" and e.how != "bonus" and e.entry not in self.undone
        ]
        return max(given, default=None)

    def granted_at(self) -> list[datetime]:
        return [
            e.at for e in self.story if e.how == "grant" and e.entry not in self.undone
        ]

    # --- doing -------------------------------------------------------------------

    def limited(self, now: datetime) -> tuple[str, datetime] | None:
        limit, given = self.design.limit, self.granted_at()
        today = [at for at in given if business_day(at) == business_day(now)]
        tomorrow = end_of(business_day(now))
        if limit.kind == "day" and today:
            return "already_today", tomorrow
        if limit.kind == "per_day" and len(today) >= limit.n:
            return "daily_cap", tomorrow
        if limit.kind == "hours" and given:
            again = max(given) + timedelta(hours=limit.n)
            if again > now:
                return "too_soon", again
        return None

    def would_end_at(self, now: datetime) -> datetime | None:
        first = None if self.is_expired(now) else self.first_stamp_at
        fresh = ends_at(self.design, first or now, now)
        return fresh if first is None else later(self.expires_at, fresh)

    def give(self, count: int, how: str, entry: str, now: datetime) -> list[int]:
        """Give stamps; the stamp counts of the rewards that they earn, in order."""
        end = self.would_end_at(now)
        if self.is_expired(now) and (self.balance or self.first_stamp_at):
            self.story.append(Event("expire", now, design=self.design))
        before = self.shown()
        self.story.append(Event("give", now, count, how, entry, self.design))
        after = self.shown()
        self.total += count
        self.cycle += after.full - before.full
        self.expires_at = end
        return after.earned[len(before.earned) :]

    def take(self, count: int, entry: str, now: datetime) -> None:
        self.cycle -= self.balance == self.design.goal
        self.story.append(Event("take", now, count, "adjust", entry, self.design))
        self.total -= count

    def lost_by_taking(self, count: int) -> list[int]:
        return self.shown().take(count, self.design)

    def publish(self, design: Design, now: datetime) -> list[int]:
        """A new version; the stamp counts of the rewards that it brings."""
        shown = self.shown()
        before, full = len(shown.earned), shown.full
        moved = shown.publish(self.design, design)
        self.cycle += shown.full - full
        if design.expires != self.design.expires:
            last = self.last_stamp_at or self.first_stamp_at
            self.expires_at = later(
                self.expires_at, ends_at(design, self.first_stamp_at, last)
            )
        self.design = design
        self.story.append(
            Event("publish", now, shown.stamps, design=design, moved=moved)
        )
        return shown.earned[before:]

    def undo(self, entry: str) -> str | Counter[int]:
        """Why a grant cannot be taken back, or the rewards that go with it."""
        if entry in self.undone:
            return "already_used"
        own = [t for t in self.tickets.values() if t.entry == entry]
        if any(ticket.state == "redeemed" for ticket in own):
            return "already_used"
        [place] = [i for i, e in enumerate(self.story) if e.entry == entry]
        without = self.shown(without=entry)
        if place <= self.began or without is None:
            return "too_late"
        now, count = self.shown(), self.story[place].stamps
        if without.stamps < now.stamps - count:
            return "too_late"
        if Counter(without.earned) - Counter(now.earned):
            return "too_late"
        lost = Counter(now.earned) - Counter(without.earned)
        return lost if self.has_unused(lost) else "already_used"

    def mark_undone(self, entry: str) -> None:
        [event] = [e for e in self.story if e.entry == entry]
        self.cycle -= self.shown().full - self.shown(without=entry).full
        self.undone.add(entry)
        self.total -= event.stamps
        self.expires_at = self._promised()

    def has_unused(self, lost: Counter[int]) -> bool:
        have = Counter(ticket.at for ticket in self.unused().values())
        return not lost - have

    def unused(self) -> dict[str, Ticket]:
        """The tickets that may still be made void."""
        return {
            number: ticket
            for number, ticket in self.tickets.items()
            if ticket.state == "issued" and ticket.born > self.began
        }

    def _promised(self) -> datetime | None:
        if not self.uses():
            return ends_at(self.design, None, None)
        first = last = None
        end: Any = None
        for event in self._life():
            if event.what == "give":
                fresh = ends_at(event.design, first or event.at, event.at)
                end = fresh if first is None else later(end, fresh)
                first, last = first or event.at, event.at
            elif event.what == "publish" and first is not None:
                end = later(end, ends_at(event.design, first, last))
        return end
