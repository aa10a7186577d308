"""A card's ledger read again from the start: where the card would stand with other
entries in it. Pure; the one place that both undoing and taking off stamps ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.rules.cycle import advance
from core.rules.redesign import at_new_goal
from core.rules.types import Design, Entry

# The versions that a card went through, by number.
Designs = Mapping[int, Design]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A card's ledger since it last began anew: after an expiry, or a new goal.

    `entries` are all since then, oldest first, and `kept` those of them that gave or
    took stamps and were not undone. It began with `balance` stamps of `version`.
    """

    entries: tuple[Entry, ...]
    kept: tuple[Entry, ...]
    balance: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where entries lead: `earned` are the stamp counts of all rewards on the way,
    `on_card` of those only the ones on the card that shows `balance`.
    """

    balance: int
    completions: int = 0
    earned: tuple[int, ...] = ()
    on_card: tuple[int, ...] = ()


def last_chapter(entries: Sequence[Entry], version: int) -> Chapter:
    """The chapter in which a card at `version` is; `entries` are all, oldest first."""
    at = max((i for i, e in enumerate(entries) if _begins(e)), default=-1)
    since = tuple(entries[at + 1 :])
    start = entries[at] if at >= 0 else since[0] if since else None
    return Chapter(
        entries=since,
        kept=kept_entries(entries, since),
        balance=entries[at].balance if at >= 0 else 0,
        version=start.version if start else version,
    )


def kept_entries(entries: Sequence[Entry], some: Sequence[Entry]) -> tuple[Entry, ...]:
    """Those of `some` that gave or took stamps and that none of `entries` undoes."""
    undone = {entry.undoes for entry in entries}
    counts = {"stamp", "bonus", "adjust", "merge"}
    return tuple(e for e in some if e.kind in counts and e.id not in undone)


def replay(
    chapter: Chapter, kept: Sequence[Entry], designs: Designs, version: int
) -> Standing | None:
    """Where `kept` lead from the chapter's start to `version` of the program.

    None where the card would have gone another way: below zero, or over a goal that a
    new version had set meanwhile.
    """
    standing, present = Standing(balance=chapter.balance), chapter.version
    for entry in kept:
        if _meets_new_goal(standing.balance, designs, present, entry.version):
            return None
        present = entry.version
        if standing.balance + entry.stamps < 0:
            return None
        standing = _after(standing, entry.stamps, designs[present])
    if _meets_new_goal(standing.balance, designs, present, version):
        return None
    return standing


def _begins(entry: Entry) -> bool:
    return entry.kind == "expiry" or (entry.kind == "rollover" and entry.how == "rule")


def _meets_new_goal(balance: int, designs: Designs, old: int, new: int) -> bool:
    path = [version for version in sorted(designs) if old <= version <= new]
    return any(
        at_new_goal(balance, designs[before], designs[after]).steps
        for before, after in pairwise(path)
    )


def _after(standing: Standing, stamps: int, design: Design) -> Standing:
    if stamps < 0:
        return _off(standing, stamps, design)
    if stamps == 0:
        return standing
    full = standing.balance >= design.goal
    moved = advance(0 if full else standing.balance, stamps, design)
    earned = tuple(reward.at for reward in moved.earned)
    rolled = any(step.kind == "rollover" for step in moved.steps)
    low = 0 if full or rolled else standing.balance
    fresh = tuple(r.at for r in design.rewards if low < r.at <= moved.balance)
    return Standing(
        balance=moved.balance,
        completions=standing.completions + moved.completions,
        earned=standing.earned + earned,
        on_card=fresh if full or rolled else standing.on_card + fresh,
    )


def _off(standing: Standing, stamps: int, design: Design) -> Standing:
    balance = standing.balance + stamps
    lost = [at for at in standing.on_card if at > balance]
    earned = list(standing.earned)
    for at in lost:
        earned.remove(at)
    return Standing(
        balance=balance,
        completions=standing.completions - (standing.balance >= design.goal),
        earned=tuple(earned),
        on_card=tuple(at for at in standing.on_card if at <= balance),
    )
