"""May a grant be taken back, and what follows: pure.

The card then stands as if the grant had never been made, whatever came after it: later
stamps move up into its place. So a card may turn back from its second round into the
first, and a later stamp may become the one that fills it, which keeps the voucher.

Refused where that would take away what a customer has had: the grant's own reward was
used, or the one that would now be lost. Too late where the card began anew since (its
stamps expired, or the goal changed) or would have gone another way under a newer
version: then a manager corrects the number of stamps instead. A card that ranked up
stands still: only the grant that filled it comes back, with what it gave to the rank-up
card, and only while nothing else came on there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.rules.asking import Refused
from core.rules.cycle import Step
from core.rules.expiry import promised_until
from core.rules.history import (
    Chapter,
    Designs,
    Standing,
    kept_entries,
    last_chapter,
    replay,
)
from core.rules.types import (
    Card,
    Entry,
    EntryId,
    Expiry,
    Role,
    Staff,
    Voucher,
    VoucherId,
    Why,
)

# So long the same staff may take back what they did without a word.
GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHistory:
    """All that happened to a (locked) card: `entries` and `vouchers` oldest first.

    `promises` are the expiries that it was promised since it last began.
    """

    card: Card
    designs: Designs
    promises: Sequence[Expiry]
    entries: Sequence[Entry]
    vouchers: Sequence[Voucher]
    zone: ZoneInfo
    day_starts_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPlan:
    """What taking stamps off writes: entries, and the card's new state."""

    steps: tuple[Step, ...]
    cycle: int
    total: int
    remainder: int
    void: tuple[VoucherId, ...]
    first_stamp_at: datetime | None
    last_stamp_at: datetime | None
    expires_at: datetime | None

    @property
    def balance(self) -> int:
        """The stamps that the card shows after it."""
        return self.steps[-1].balance


def may_undo(entry: Entry, by: Staff | None, now: datetime) -> bool:
    """May `by` (None: a machine, as a manager) take this back at `now`?"""
    role: Role = by.role if by else "manager"
    if role in {"owner", "manager"}:
        return True
    return role == "clerk" and is_fresh_own(entry, by, now)


def is_fresh_own(entry: Entry, by: Staff | None, now: datetime) -> bool:
    """Is it their own doing of the last ten minutes, which needs no reason?"""
    return entry.staff_id == (by.id if by else None) and now - entry.at <= GRACE


def decide_undo(history: CardHistory, entries: Sequence[Entry]) -> OffPlan | Refused:
    """Decide on taking back these grants (≥ 1) of the history, together.

    A grant that went to one card in parts is taken back in parts, or not at all.
    """
    ids = {entry.id for entry in entries}
    if any(later.undoes in ids for later in history.entries):
        return _refused(history, Why.already_used)
    own = [v for v in history.vouchers if v.entry_id in ids]
    if any(voucher.state == "redeemed" for voucher in own):
        return _refused(history, Why.already_used)
    chapter = _chapter(history)
    if any(entry not in chapter.kept for entry in entries):
        return _refused(history, Why.too_late)
    rest = tuple(kept for kept in chapter.kept if kept.id not in ids)
    before, after = _stand(history, chapter, chapter.kept), None
    if before is not None and before.balance == history.card.balance:
        after = _stand(history, chapter, rest)
    stamps = sum(entry.stamps for entry in entries)
    turned = 0 if after is None else _turned(history.card, stamps, after)
    if before is None or after is None or turned < 0 or _gains(before, after):
        return _refused(history, Why.too_late)
    void = _unused(history, chapter, _lost(before, after), ids)
    if void is None:
        return _refused(history, Why.already_used)
    uses = _uses(history, without=ids)
    return OffPlan(
        steps=_counter(history.card, entries, turned),
        cycle=history.card.cycle - before.completions + after.completions,
        total=history.card.total - stamps,
        remainder=history.card.remainder - sum(entry.remainder for entry in entries),
        void=void,
        first_stamp_at=uses[0].at if uses else None,
        last_stamp_at=_last_stamp_at(history, without=ids),
        expires_at=promised_until(
            history.promises,
            first=uses[0].at if uses else None,
            last=uses[-1].at if uses else None,
            extended_to=history.card.extended_to,
            zone=history.zone,
            day_starts_at=history.day_starts_at,
        ),
    )


def is_last_of_card(history: CardHistory, entry: Entry) -> bool:
    """Is nothing on this card that came after `entry`?"""
    kept = kept_entries(history.entries, history.entries)
    given = [each for each in kept if each.stamps or each.id == entry.id]
    return bool(given) and given[-1].id == entry.id


def came_since(history: CardHistory, since: datetime, but: Collection[EntryId]) -> bool:
    """Did this card get anything since then that is not of `but`, or its own bonus?"""
    kept = kept_entries(history.entries, history.entries)
    return any(
        entry.at >= since and entry.kind != "bonus" and entry.id not in but
        for entry in kept
    )


def decide_taking_off(
    history: CardHistory, stamps: int, now: datetime
) -> OffPlan | Refused:
    """Decide on taking `stamps` (≥ 1) off what the card shows, by hand."""
    card, chapter = history.card, _chapter(history)
    expired = card.expires_at is not None and card.expires_at <= now
    if expired or stamps > card.balance:
        return _refused(history, Why.not_enough)
    before = _stand(history, chapter, chapter.kept)
    rest = card.balance - stamps
    lost: Counter[int] = Counter()
    if before is not None and before.balance == card.balance:
        lost.update(at for at in before.on_card if at > rest)
    void = _unused(history, chapter, lost)
    if void is None:
        return _refused(history, Why.already_used)
    was_full = card.balance >= history.designs[card.version].goal
    return OffPlan(
        steps=(Step("adjust", -stamps, rest),),
        cycle=card.cycle - was_full,
        total=card.total - stamps,
        remainder=card.remainder,
        void=void,
        first_stamp_at=card.first_stamp_at,
        last_stamp_at=card.last_stamp_at,
        expires_at=card.expires_at,
    )


def _chapter(history: CardHistory) -> Chapter:
    return last_chapter(history.entries, history.card.version)


def _stand(
    history: CardHistory, chapter: Chapter, kept: Sequence[Entry]
) -> Standing | None:
    return replay(chapter, kept, history.designs, history.card.version)


def _turned(card: Card, stamps: int, after: Standing) -> int:
    """The stamps of the earlier rounds that come back on to the card."""
    return after.balance - (card.balance - stamps)


def _counter(card: Card, entries: Sequence[Entry], turned: int) -> tuple[Step, ...]:
    balance = card.balance + turned
    steps = [Step("rollover", turned, balance)] if turned else []
    for entry in entries:
        balance -= entry.stamps
        steps.append(Step("undo", -entry.stamps, balance, -entry.remainder, entry.id))
    return tuple(steps)


def _gains(before: Standing, after: Standing) -> bool:
    # Under a newer version the other way may pass other rewards: undoing gives none.
    return bool(Counter(after.earned) - Counter(before.earned))


def _lost(before: Standing, after: Standing) -> Counter[int]:
    return Counter(before.earned) - Counter(after.earned)


def _unused(
    history: CardHistory,
    chapter: Chapter,
    lost: Counter[int],
    ids: Collection[EntryId] = (),
) -> tuple[VoucherId, ...] | None:
    """A voucher to make void for each lost reward, the entries' own first, then the
    newest; None where one of them was used.
    """
    since = {entry.id for entry in chapter.entries}
    unused = [
        v
        for v in history.vouchers
        if v.entry_id in since and v.state in {"issued", "expired"}
    ]
    unused.sort(key=lambda v: (v.entry_id in ids, v.issued_at, v.id), reverse=True)
    found: list[VoucherId] = []
    for at, count in lost.items():
        of_it = [voucher.id for voucher in unused if voucher.reward_at == at]
        if len(of_it) < count:
            return None
        found += of_it[:count]
    # A reward that was had on a card that was linked here has its voucher there.
    return tuple(voucher_id for voucher_id in found if voucher_id)


def _uses(history: CardHistory, *, without: Collection[EntryId]) -> list[Entry]:
    """What began and prolonged the card since it last expired."""
    entries = history.entries
    at = max((i for i, e in enumerate(entries) if e.kind == "expiry"), default=-1)
    kept = kept_entries(entries, entries[at + 1 :])
    return [e for e in kept if e.stamps > 0 and e.id not in without]


def _last_stamp_at(
    history: CardHistory, *, without: Collection[EntryId]
) -> datetime | None:
    kept = kept_entries(history.entries, history.entries)
    given = (e.at for e in kept if e.stamps > 0 and e.id not in without)
    return max(given, default=None)


def _refused(history: CardHistory, why: Why) -> Refused:
    return Refused(why=why, card_id=history.card.id)
