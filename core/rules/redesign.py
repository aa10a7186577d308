"""What a new version of a program does to a card that is out there. Pure.

Nobody is stranded: a card that is at a lowered goal completes; a full card of a raised
goal has had its reward and starts afresh; an expiry is only ever lengthened.
"""

from __future__ import annotations

from datetime import datetime

from core.rules.cycle import Advance, Step
from core.rules.types import Design


def at_new_goal(balance: int, old: Design, new: Design) -> Advance:
    """Where a card at `balance` of `old` stands in `new`; no steps: as before."""
    unchanged = Advance((), balance, 0, ())
    if old.goal == new.goal:
        return unchanged
    if balance >= old.goal:
        return Advance((Step("rollover", -balance, 0),), 0, 0, ())
    if balance < new.goal:
        return unchanged
    completions = balance // new.goal
    left = balance - completions * new.goal
    goal_rewards = tuple(r for r in new.rewards if r.at == new.goal)
    step = Step("rollover", left - balance, left)
    return Advance((step,), left, completions, goal_rewards * completions)


def later_expiry(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two ends; None means never."""
    return None if one is None or other is None else max(one, other)
