"""What a card ought to do, told a second time and as plainly as possible: one stamp
after another over the whole story of the card. Nothing of `core.rules` decides here.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from core.rules.types import Design
from tests.actions.core_model_parts import (
    Event,
    Shown,
    Ticket,
    business_day,
    end_of,
    ends_at,
    is_doubled,
    takes_stamps,
)


class ModelCard:
    """One card: its story, and what follows from it."""

    def __init__(self, design: Design, now: datetime) -> None:
        self.first_design = self.design = self.newest = design
        self.story: list[Event] = []
        self.undone: set[str] = set()
        self.tickets: dict[str, Ticket] = {}
        self.total = self.cycle = self.remainder = 0
        self.promises = [design]
        self.extended_to: datetime | None = None
        self.linked: ModelCard | None = None  # the card that stands for this one
        self.guests: list[ModelCard] = []  # the cards for which this one stands
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

    def shown(self, *without: str) -> Shown | None:
        """Since it began anew; None where another story would have come out."""
        start = self.began
        shown = Shown()
        design = self.first_design
        if start >= 0:
            event = self.story[start]
            shown.stamps, design = event.stamps, event.design
        for event in self.story[start + 1 :]:
            if event.what == "turn":
                if shown.turn(design, event.design):
                    return None
                design = event.design
            elif event.entry in self.undone or event.entry in without:
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
        expired = [i for i, e in enumerate(self.story) if e.what == "expire"]
        life = self.story[expired[-1] + 1 :] if expired else self.story
        return [e for e in life if self._counts(e)]

    def _counts(self, event: Event) -> bool:
        given = event.what == "give" and event.stamps > 0
        return given and event.entry not in self.undone

    @property
    def first_stamp_at(self) -> datetime | None:
        uses = self.uses()
        return uses[0].at if uses else None

    @property
    def last_stamp_at(self) -> datetime | None:
        return max((e.at for e in self.story if self._counts(e)), default=None)

    def granted(self) -> list[tuple[datetime, int]]:
        """The grants that limits count: one of several legs is one grant."""
        found: dict[str, tuple[datetime, int]] = {}
        for who in (self, *self.guests):
            for event in who.story:
                if event.how == "grant" and who._counts(event):
                    before = found.get(event.entry, (event.at, 0))[1]
                    found[event.entry] = (event.at, before + event.stamps)
        return list(found.values())

    def promised(self, first: datetime | None, last: datetime | None):
        """The latest end that any version since the card began has promised."""
        ends = [ends_at(design, first, last) for design in self.promises]
        ends += [self.extended_to] if self.extended_to else []
        return None if None in ends else max(ends)

    # --- doing -------------------------------------------------------------------

    def limited(self, now: datetime) -> tuple[str, datetime] | None:
        limit, given = self.design.limit, self.granted()
        today = [n for at, n in given if business_day(at) == business_day(now)]
        tomorrow = end_of(business_day(now))
        found = []
        if limit.kind == "day" and today:
            found.append((tomorrow, "already_today"))
        if limit.kind == "per_day" and len(today) >= limit.n:
            found.append((tomorrow, "daily_cap"))
        if limit.kind == "hours" and given:
            again = max(at for at, _ in given) + timedelta(hours=limit.n)
            if again > now:
                found.append((again, "too_soon"))
        if self.design.day_cap and sum(today) >= self.design.day_cap:
            found.append((tomorrow, "daily_cap"))
        if not found:
            return None
        retry_at = max(at for at, _ in found)
        return next((why, at) for at, why in found if at == retry_at)

    def worth(self, stamps: int, amount: int | None, now: datetime) -> tuple[int, int]:
        """How many stamps, and how much of the amount is kept."""
        kept = 0
        if amount is not None:
            before = 0 if self.is_expired(now) else self.remainder
            stamps, paid = 0, before + amount
            while paid >= self.design.spend.per:
                stamps, paid = stamps + 1, paid - self.design.spend.per
            kept = paid - before
        if is_doubled(self.design, now):
            stamps *= 2
        if self.design.day_cap:
            today = business_day(now)
            had = sum(n for at, n in self.granted() if business_day(at) == today)
            stamps = min(stamps, self.design.day_cap - had)
        return stamps, kept

    def would_end_at(self, now: datetime, *, uses: bool = True) -> datetime | None:
        """Until when the card would be good after a stamp (or a purchase) now."""
        expired = self.is_expired(now)
        if expired:
            turns = uses and self._turns(now)
            design = self.newest if turns else self.design
            return ends_at(design, now if uses else None, now if uses else None)
        if self._turns(now) and uses and self.balance == self.design.goal:
            return ends_at(self.newest, now, now)
        first = self.first_stamp_at
        if uses:
            return self.promised(first or now, now)
        return self.promised(first, first and self.last_stamp_at)

    def give(
        self, count: int, how: str, entry: str, now: datetime, kept: int = 0
    ) -> list[tuple[int, int]]:
        """Give stamps; the stamp counts of the rewards that they earn, in order, each
        with the index of its event.
        """
        earned, left = [], count
        while True:
            if left and self._turns(now) and self._is_at_its_end(now):
                self._turn(now)
            part = left
            if left and self._turns(now):
                room = self.design.goal
                room -= 0 if self.is_expired(now) else self.balance
                part = min(left, room)
            earned += self._give_on(part, how, entry, now, kept)
            left, kept = left - part, 0
            if not left:
                return earned

    def _turns(self, now: datetime) -> bool:
        return self.newest is not self.design and takes_stamps(self.newest, now)

    def _is_at_its_end(self, now: datetime) -> bool:
        return self.is_expired(now) or self.balance == self.design.goal

    def _turn(self, now: datetime) -> None:
        if self.is_expired(now):
            self.design = self.newest
        else:
            self.move(self.newest, now)
            end = ends_at(self.newest, now, now)
            known = [at for at in (self.extended_to, end) if at]
            self.extended_to = max(known, default=None)
        self.promises = [self.newest]

    def _give_on(self, count: int, how: str, entry: str, now: datetime, kept: int):
        if self.is_expired(now):
            if self.first_stamp_at or self.balance or self.remainder:
                self.expire(now)
            self.promises, self.extended_to = [self.design], None
        before = self.shown()
        self.story.append(Event("give", now, count, how, entry, self.design, kept=kept))
        after = self.shown()
        self.total += count
        self.cycle += after.full - before.full
        self.remainder += kept
        first = self.first_stamp_at
        self.expires_at = self.promised(first, first and self.last_stamp_at)
        born = len(self.story) - 1
        return [(at, born) for at in after.earned[len(before.earned) :]]

    def expire(self, now: datetime) -> None:
        """Its stamps have gone; it says so until the next one."""
        self.story.append(Event("expire", now, design=self.design))
        self.remainder, self.promises, self.extended_to = 0, [self.design], None

    def take(self, count: int, entry: str, now: datetime) -> None:
        self.cycle -= self.balance == self.design.goal
        self.story.append(Event("take", now, count, "adjust", entry, self.design))
        self.total -= count

    def lost_by_taking(self, count: int) -> list[int]:
        return self.shown().take(count, self.design)

    def publish(self, design: Design, now: datetime, *, moves: bool) -> list[int]:
        """A new version; the stamp counts of the rewards that it brings."""
        self.newest = design
        if not moves:
            return []
        expires, old = design.expires, self.design
        gone = self._has_lost(now)
        earned = self.move(design, now)
        self.promises.append(design)
        if (old.goal, old.expires) != (design.goal, expires) and not gone:
            first = self.first_stamp_at
            self.expires_at = self.promised(first, first and self.last_stamp_at)
        return earned

    def _has_lost(self, now: datetime) -> bool:
        """Has it ended, with stamps that are gone by now?"""
        ended = self.is_expired(now) and self.first_stamp_at is None
        return ended and self.total > 0

    def move(self, design: Design, now: datetime) -> list[int]:
        """On to another version; the stamp counts of the rewards that it brings."""
        shown = self.shown()
        before, full = len(shown.earned), shown.full
        moved = shown.turn(self.design, design)
        self.cycle += shown.full - full
        self.design = design
        self.story.append(Event("turn", now, shown.stamps, design=design, moved=moved))
        return shown.earned[before:]

    def lengthen(self, until: datetime, now: datetime) -> bool:
        """Good until then at least; True when that is later than it was."""
        if self._has_lost(now) or self.expires_at is None or self.expires_at >= until:
            return False
        self.extended_to = until
        self.expires_at = until
        return True

    def undo(self, *entries: str) -> str | Counter[int]:
        """Why grants cannot be taken back together, or the rewards that go with it."""
        if self.linked is not None:
            return "too_late"
        own = [t for t in self.tickets.values() if t.entry in entries]
        used = any(ticket.state == "redeemed" for ticket in own)
        if used or self.undone & set(entries):
            return "already_used"
        places = [i for i, e in enumerate(self.story) if e.entry in entries]
        without = self.shown(*entries)
        if min(places) <= self.began or without is None:
            return "too_late"
        now, count = self.shown(), sum(self.story[i].stamps for i in places)
        gains = Counter(without.earned) - Counter(now.earned)
        if gains or without.stamps < now.stamps - count:
            return "too_late"
        lost = Counter(now.earned) - Counter(without.earned)
        return lost if self.has_unused(lost) else "already_used"

    def mark_undone(self, *entries: str) -> None:
        events = [e for e in self.story if e.entry in entries]
        self.cycle -= self.shown().full - self.shown(*entries).full
        self.undone |= set(entries)
        self.total -= sum(event.stamps for event in events)
        self.remainder -= sum(event.kept for event in events)
        uses = self.uses()
        self.expires_at = self.promised(
            self.first_stamp_at, uses[-1].at if uses else None
        )

    # --- linking -----------------------------------------------------------------

    def what_moves(self, now: datetime) -> tuple[int, int]:
        """The stamps and the remainder that a card hands to the one it joins."""
        if self.is_expired(now):
            return 0, 0
        return (0 if self.balance == self.design.goal else self.balance), self.remainder

    def keep_promise(self, until: datetime | None) -> datetime | None:
        """Stamps that came along stay good for as long as they were."""
        if until is None or self.expires_at is None or until <= self.expires_at:
            return None
        self.extended_to = self.expires_at = until
        return until

    def lead_to(self, other: ModelCard, now: datetime) -> tuple[int, int]:
        """Hand over what there is; from now on `other` stands for this one."""
        stamps, money = self.what_moves(now)
        if stamps or money:
            self.story.append(Event("take", now, stamps, "merge", "took", self.design))
        self.total, self.remainder = self.total - stamps, self.remainder - money
        self.linked = other
        other.guests.append(self)
        return stamps, money

    def lead_back(self, stamps: int, money: int, now: datetime) -> None:
        """Have back what was handed over."""
        self.story = [e for e in self.story if e.entry != "took"]
        self.total, self.remainder = self.total + stamps, self.remainder + money
        self.linked.guests.remove(self)
        self.linked = None

    def has_unused(self, lost: Counter[int]) -> bool:
        have = Counter(ticket.at for ticket in self.unused().values())
        return not lost - have

    def unused(self) -> dict[str, Ticket]:
        """The tickets that may still be made void."""
        return {
            number: ticket
            for number, ticket in self.tickets.items()
            if ticket.state in {"issued", "expired"} and ticket.born > self.began
        }
