"""Handing what is on one card to another of the same program, and taking that back:
parts of linking customers and of taking them apart, none by itself.

What was written by the time of a refusal must be rolled back by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.actions.giving import Gave, current_card, give_stamps
from core.actions.issuing import issue_card
from core.actions.new_goal import meet_new_goal
from core.actions.undo import take_back
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.cycle import Step
from core.rules.granting import is_expired
from core.rules.linking import Moved, add_money, take_money, what_moves
from core.rules.redesign import at_new_goal
from core.rules.types import (
    Card,
    CardId,
    Customer,
    Design,
    Entry,
    EntryId,
    Merchant,
    Staff,
    VoucherId,
    Why,
)
from core.store.cards import lock_card, update_card
from core.store.ledger import append_entries, load_entry
from core.store.linking import lead_cards_on
from core.store.programs import load_design


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was done with one card: the card `onto`, with `yours` on it, got more.

    `completed`: it became full by it; `vouchers` are new ones.
    """

    moved: Moved
    onto: CardId
    yours: int
    completed: bool
    vouchers: tuple[VoucherId, ...]


def merge_card(
    tx: Tx, merchant: Merchant, card: Card, stays: Customer, key: str, now: datetime
) -> Merged | Refused:
    """Hand what is on a (locked) card to the same program's card of `stays`.

    Refused where that one is stopped, or can take no stamps any more.
    """
    stamps, remainder = what_moves(card, design_on(tx, card), now)
    to_id = issue_card(
        tx, merchant, card.program_id, stays.id, key, now, with_bonus=False
    )
    moved = Moved(
        from_card=card.id,
        to_card=to_id,
        version=card.version,
        first_stamp_at=card.first_stamp_at,
        stamps=stamps,
        remainder=remainder,
        took=_take(tx, card, to_id, stamps, remainder, now),
    )
    lead_cards_on(tx, merchant.id, card.id, to_id)
    to = own_card(tx, merchant, to_id)
    if to.state == "stopped":
        return Refused(why=Why.card_stopped, card_id=to.id)
    return _hand_over(tx, merchant, card, to, moved, now)


def part_card(
    tx: Tx,
    merchant: Merchant,
    moved: Moved,
    by: Staff | None,
    now: datetime,
    reason: str = "",
) -> Refused | None:
    """Take back what `moved` says; None when it is done."""
    to = own_card(tx, merchant, moved.to_card)
    _forget_promise(tx, to, moved)
    broke, change = take_money(moved, current_card(tx, to).remainder)
    names = (moved.gave, moved.extra if broke else None)
    grants = [_entry(tx, merchant, name) for name in names if name is not None]
    if grants:
        undone = take_back(tx, merchant.id, grants, by, reason, now, how="link")
        if isinstance(undone, Refused):
            return undone
    onto = current_card(tx, own_card(tx, merchant, to.id))
    if change:
        step = Step("undo", 0, onto.balance, change, moved.paid)
        _append(tx, onto, step, now, remainder=onto.remainder + change)
    _give_back(tx, merchant, own_card(tx, merchant, moved.from_card), moved, now)
    return None


def own_card(tx: Tx, merchant: Merchant, card_id: CardId) -> Card:
    """This very card, locked."""
    card = lock_card(tx, merchant.id, card_id, own=True)
    assert card is not None
    return card


def design_on(tx: Tx, card: Card, version: int | None = None) -> Design:
    """The design that a card is on, or that of another version of its program."""
    found = load_design(tx, card.program_id, version or card.version)
    if found is None:
        raise NotFound("program")
    return found[1]


def _hand_over(
    tx: Tx, merchant: Merchant, card: Card, to: Card, moved: Moved, now: datetime
) -> Merged | Refused:
    onto = current_card(tx, to)
    is_over = is_expired(onto, now)
    kept = 0 if is_over else onto.remainder
    spend = design_on(tx, onto).spend
    per = spend.per if spend else 0
    extra, rest = add_money(kept, moved.remainder, per)
    passed = moved.stamps if onto.program_id == card.program_id else 0
    kept_until = _keep_promise(tx, card, to, moved) if _is_fresh(to) else None
    gifts = (
        _give(tx, merchant, to, moved.stamps, now, passed=passed),
        _give(tx, merchant, to, extra, now),
        _give(tx, merchant, to, 0, now, remainder=rest - kept),
    )
    gave, more, paid = gifts
    for gift in gifts:
        if isinstance(gift, Refused):
            return gift
    after = own_card(tx, merchant, to.id)
    kept_until = _keep_promise(tx, card, after, moved) or kept_until
    done = [gift for gift in gifts if isinstance(gift, Gave)]
    return Merged(
        moved=replace(
            moved,
            gave=_id_of(gave),
            extra=_id_of(more),
            paid=_id_of(paid),
            per=per,
            kept_until=kept_until,
            promised=to.extended_to,
        ),
        onto=onto.id,
        yours=0 if is_over else onto.balance,
        completed=any(gift.completed for gift in done),
        vouchers=tuple(v for gift in done for v in gift.vouchers),
    )


def _take(
    tx: Tx, card: Card, to_id: CardId, stamps: int, remainder: int, now: datetime
) -> EntryId | None:
    # A card that leads to another one has nothing of its own that could run out.
    values: dict[str, Any] = {"merged_into": to_id, "first_stamp_at": None}
    if not stamps and not remainder:
        update_card(tx, card, **values)
        return None
    left = card.balance - stamps
    values |= {"balance": left, "total": card.total - stamps}
    values["remainder"] = card.remainder - remainder
    return _append(tx, card, Step("merge", -stamps, left, -remainder), now, **values)


def _give(
    tx: Tx,
    merchant: Merchant,
    to: Card,
    stamps: int,
    now: datetime,
    *,
    passed: int = 0,
    remainder: int = 0,
) -> Gave | Refused | None:
    if not stamps and not remainder:
        return None
    return give_stamps(
        tx,
        merchant,
        own_card(tx, merchant, to.id),
        stamps,
        kind="merge",
        how="link",
        now=now,
        passed=passed,
        remainder=remainder,
    )


def _give_back(
    tx: Tx, merchant: Merchant, card: Card, moved: Moved, now: datetime
) -> None:
    values: dict[str, Any] = {"merged_into": None}
    values["first_stamp_at"] = moved.first_stamp_at
    if moved.took is None:
        update_card(tx, card, **values)
    else:
        balance = card.balance + moved.stamps
        step = Step("undo", moved.stamps, balance, moved.remainder, moved.took)
        values |= {"balance": balance, "total": card.total + moved.stamps}
        values["remainder"] = card.remainder + moved.remainder
        _append(tx, card, step, now, **values)
    if card.version != moved.version:
        # What publishing did to other cards while this one led to another.
        card = own_card(tx, merchant, card.id)
        old, new = design_on(tx, card, moved.version), design_on(tx, card)
        turned = at_new_goal(card.balance, old, new)
        if turned.steps:
            meet_new_goal(tx, merchant, card, turned, now)


def _is_fresh(card: Card) -> bool:
    return card.first_stamp_at is None and not card.balance


def _keep_promise(tx: Tx, card: Card, to: Card, moved: Moved) -> datetime | None:
    """Stamps that were good for longer stay so; the new end where it is one."""
    until, ends = card.expires_at, to.expires_at
    if not moved.stamps or to.next_card_id or until is None or ends is None:
        return None
    if until <= ends:
        return None
    update_card(tx, to, extended_to=until, expires_at=until)
    return until


def _forget_promise(tx: Tx, to: Card, moved: Moved) -> None:
    values: dict[str, Any] = {}
    if moved.kept_until is not None and to.extended_to == moved.kept_until:
        values["extended_to"] = moved.promised
    if moved.handed_on:
        values["next_card_id"] = None
    update_card(tx, to, **values)


def _append(
    tx: Tx, card: Card, step: Step, now: datetime, **card_values: Any
) -> EntryId:
    [entry_id] = append_entries(
        tx,
        card,
        (step,),
        how="link",
        version=card.version,
        now=now,
        card_values=card_values,
    )
    return entry_id


def _entry(tx: Tx, merchant: Merchant, entry_id: EntryId) -> Entry:
    entry = load_entry(tx, merchant.id, entry_id)
    assert entry is not None
    return entry


def _id_of(gift: Gave | Refused | None) -> EntryId | None:
    return gift.entry_id if isinstance(gift, Gave) else None
