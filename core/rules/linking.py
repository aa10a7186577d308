"""May two customers become one, what moves between their cards, and for how long it can
be taken back. Pure.

Linking deletes nothing. The cards of the one who joins lead to the other's cards of the
same programs, and what is on them moves there: the stamps they show, and what was paid
towards the next one. What stays behind, because it is no more or was had already:
- a full card, or one that ranked up, has been paid for with its reward; what went on to
  the rank-up card moves from there, for that card is linked like any other;
- what has expired;
- a card that is stopped, or whose program is archived, stays by itself.
So of a chain of rank-up cards the present one moves. Whose card had ranked up keeps the
rank where the other's has nothing on it yet; where it has, that one is filled first.

Stamps that move earn no reward a second time: what lies on the way up to their number
they had reached where they came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from core.rules.asking import Refused
from core.rules.cycle import advance
from core.rules.granting import is_expired
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    Design,
    Entry,
    EntryId,
    MerchantId,
    ProgramState,
    Reward,
    Staff,
    Voucher,
    VoucherId,
    Why,
)

LinkId = NewType("LinkId", str)

# So long a code waits to be shown.
CODE_LIVES = timedelta(minutes=10)
# So long two customers can be taken apart again.
UNLINK_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCode:
    """Eight Crockford letters with which a customer without LINE names themself."""

    code: str
    customer_id: CustomerId
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one card handed to another, and all that taking it back must know.

    `stamps` and `remainder` were taken off by the entry `took`. The stamps were given
    by `gave`, the remainder by `paid`; where two remainders made a stamp, at one for
    `per`, that was given by `extra`. The card had `version` and began at
    `first_stamp_at`. `kept_until` is a longer promise that came over, `promised` what
    there was before. `handed_on`: the other card took the rank of this one.
    """

    from_card: CardId
    to_card: CardId
    version: int
    first_stamp_at: datetime | None
    stamps: int = 0
    remainder: int = 0
    took: EntryId | None = None
    gave: EntryId | None = None
    extra: EntryId | None = None
    paid: EntryId | None = None
    per: int = 0
    kept_until: datetime | None = None
    promised: datetime | None = None
    handed_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One linking of a customer to another, with what moved."""

    id: LinkId
    merchant_id: MerchantId
    from_id: CustomerId
    to_id: CustomerId
    moved: tuple[Moved, ...]
    linked_at: datetime
    undone_at: datetime | None = None

    @property
    def until(self) -> datetime:
        """The last instant at which it can be taken back."""
        return self.linked_at + UNLINK_WITHIN

    def can_be_undone(self, now: datetime) -> bool:
        """Is there still time to take it back?"""
        return self.undone_at is None and now <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Done: `cards` of `customer_id` now stand for both. `vouchers` are new ones."""

    link_id: LinkId
    customer_id: CustomerId
    cards: tuple[CardId, ...] = ()
    vouchers: tuple[VoucherId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinked:
    """Taken back: `cards` of `customer_id` stand for themselves again."""

    link_id: LinkId
    customer_id: CustomerId
    cards: tuple[CardId, ...] = ()


def decide_code(
    code: LinkCode | None, now: datetime, *, is_foreign: bool
) -> Refused | None:
    """None where the code may be used; `is_foreign`: another merchant knows it."""
    if code is None:
        return Refused(why=Why.wrong_merchant if is_foreign else Why.unknown_code)
    if code.used_at is not None:
        return Refused(why=Why.used_code)
    return Refused(why=Why.expired_code) if code.expires_at <= now else None


def decide_link(joins: Customer, stays: Customer) -> Refused | None:
    """None where `joins` may become one with `stays`.

    Who has LINE is joined by others and joins nobody: one person has one LINE.
    """
    if joins.id == stays.id:
        return Refused(why=Why.same_person)
    if joins.merged_into is not None or joins.line_user_id is not None:
        return Refused(why=Why.already_linked)
    # Joined somebody else, maybe `joins` themself, just before: a circle leads nowhere.
    return Refused(why=Why.already_linked) if stays.merged_into is not None else None


def decide_unlink(
    link: Link, stays: Customer, by: Staff | None, now: datetime
) -> Refused | None:
    """None where the two may be taken apart at `now` (by None: by the customer).

    Where `stays` joined somebody else meanwhile, that must be taken back first.
    """
    if by is not None and by.role == "viewer":
        return Refused(why=Why.not_allowed)
    if not link.can_be_undone(now):
        return Refused(why=Why.too_late)
    return Refused(why=Why.already_linked) if stays.merged_into is not None else None


def stays_by_itself(card: Card, program: ProgramState) -> bool:
    """Is this a card that linking leaves alone?"""
    return card.state == "stopped" or program == "archived"


def what_moves(card: Card, design: Design, now: datetime) -> tuple[int, int]:
    """The stamps and the remainder that a card hands over; see above."""
    if is_expired(card, now) or card.next_card_id is not None:
        return 0, 0
    return (0 if card.balance >= design.goal else card.balance), card.remainder


def still_to_earn(
    earned: Sequence[Reward], design: Design, passed: int
) -> tuple[Reward, ...]:
    """Those of `earned` that stamps which came from `passed` on another card bring.

    A goal they had not reached there, or they would not have moved.
    """
    return tuple(r for r in earned if r.at > passed or r.at >= design.goal)


def had_elsewhere(
    entries: Sequence[Entry], designs: Mapping[int, Design], vouchers: Sequence[Voucher]
) -> list[Voucher]:
    """A nameless voucher for each reward that stamps passed here and had had before.

    So who reads the history again finds one for each reward on the way.
    """
    issued = {(voucher.entry_id, voucher.reward_at) for voucher in vouchers}
    return [
        Voucher(
            id=VoucherId(""),
            card_id=entry.card_id,
            number="",
            name=reward.name,
            state="issued",
            issued_at=entry.at,
            expires_at=None,
            entry_id=entry.id,
            reward_at=reward.at,
        )
        for entry in entries
        if entry.kind == "merge"
        and entry.how == "link"
        and entry.stamps > 0
        and entry.version in designs
        for reward in _passed_by(entry, designs[entry.version])
        if (entry.id, reward.at) not in issued
    ]


def _passed_by(entry: Entry, design: Design) -> tuple[Reward, ...]:
    return advance(entry.balance - entry.stamps, entry.stamps, design).earned


def add_money(one: int, other: int, per: int) -> tuple[int, int]:
    """Two remainders as stamps and a remainder, at one stamp for `per` (0: none)."""
    return divmod(one + other, per) if per else (0, one + other)


def take_money(moved: Moved, remainder: int) -> tuple[bool, int]:
    """How to take what `moved` brought off a card with `remainder`.

    Whether the extra stamps come off too, and how the remainder then changes. What was
    spent on a later stamp stays with that.
    """
    if remainder >= moved.remainder:
        return False, -moved.remainder
    if moved.extra is not None:
        return True, moved.per - moved.remainder
    return False, -remainder
