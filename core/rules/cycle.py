"""What stamps do to a card: rewards on the way, a full card, and the next one."""

from __future__ import annotations

from dataclasses import dataclass

from core.rules.types import Design, EntryId, EntryKind, Reward


@dataclass(frozen=True, slots=True)
class Step:
    """One ledger entry to be: its signed stamps and the balance after it.

    `remainder` is how the card's remainder changes by it, `undoes` the entry that it
    counters.
    """

    kind: EntryKind
    stamps: int
    balance: int
    remainder: int = 0
    undoes: EntryId | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """Where a card stands after stamps: `completions` times it became full."""

    steps: tuple[Step, ...]
    balance: int
    completions: int
    earned: tuple[Reward, ...]


def advance(
    balance: int, stamps: int, design: Design, kind: EntryKind = "stamp"
) -> Advance:
    """Add `stamps` (≥ 1) to a card at `balance` (0 to goal).

    A card that reaches its goal stays full, so that the customer sees it; the stamp
    after that starts the next card. Surplus over a goal starts it at once.
    """
    goal = design.goal
    steps: list[Step] = []
    if balance >= goal:
        balance = 0
        steps.append(Step("rollover", -goal, 0))
    reached = balance + stamps
    steps.append(Step(kind, stamps, reached))
    completions = reached // goal
    started = completions if reached % goal else completions - 1
    if started > 0:
        steps.append(Step("rollover", -started * goal, reached - started * goal))
    earned = tuple(
        reward
        for turn in range(completions + 1)
        for reward in sorted(design.rewards, key=lambda r: r.at)
        if balance < turn * goal + reward.at <= reached
    )
    return Advance(tuple(steps), steps[-1].balance, completions, earned)
