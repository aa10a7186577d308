"""What a new version of a program does to a card that is out there. Pure.

Nobody is stranded: a card that is at a lowered goal completes; a full card of a raised
goal has had its reward and starts afresh; an expiry is only ever lengthened.
"""

from __future__ import annotations

from datetime import datetime

from core.rules.cycle import Advance, Step, advance
from core.rules.types import Card, Design


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


def loses_reward(balance: int, old: Design, new: Design) -> bool:
    """Is a reward that is still ahead of a card taken away, or put farther off?

    What counts is how many rewards a customer has after each further stamp, up to the
    last one of the card as it was. So another name loses nobody a reward.
    """
    moved = at_new_goal(balance, old, new)
    return any(
        _coming(moved.balance, stamps, new) + len(moved.earned)
        < sum(balance < reward.at <= balance + stamps for reward in old.rewards)
        for stamps in range(1, old.goal - balance + 1)
    )


def _coming(balance: int, stamps: int, design: Design) -> int:
    if design.next_program is not None:
        # What comes after a full card is another program's.
        stamps = min(stamps, design.goal - balance)
    return len(advance(balance, stamps, design).earned) if stamps > 0 else 0


def is_over(card: Card, now: datetime) -> bool:
    """Have a card's stamps expired and gone from it, and none come since?

    A card that never had any has lost nothing by its end.
    """
    has_ended = card.expires_at is not None and card.expires_at <= now
    return has_ended and card.first_stamp_at is None and card.total > 0


def later_expiry(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two ends; None means never."""
    return None if one is None or other is None else max(one, other)
