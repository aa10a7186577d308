"""Where the stamps after a full card go: its rank-up card, or its newest version. A
part of giving.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.actions.issuing import issue_card
from core.database import Tx
from core.errors import NotFound
from core.rules.collecting import Place, room_on
from core.rules.cycle import Step
from core.rules.expiry import card_expires_at
from core.rules.granting import is_expired
from core.rules.redesign import at_new_goal
from core.rules.types import Card, Design, EntryId, Merchant, Program
from core.store.cards import find_card, lock_card, update_card
from core.store.ledger import append_entries
from core.store.passes import announce_passes
from core.store.programs import design_of, find_program, load_program


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A (locked) card, its program, and the design that it is on."""

    card: Card
    program: Program
    design: Design


def stand(tx: Tx, card: Card) -> Spot:
    """Where a (locked) card stands. Raises `NotFound("program")`."""
    program = load_program(tx, card.merchant_id, card.program_id)
    design = program and design_of(tx, program, card.version)
    if not program or not design:
        raise NotFound("program")
    return Spot(card=card, program=program, design=design)


def turns(tx: Tx, merchant: Merchant, spot: Spot, now: datetime) -> bool:
    """Is this card's next round another card, or under another version?"""
    return _has_newer(merchant, spot, now) or (
        rank_up(tx, merchant, spot, now) is not None
    )


def _has_newer(merchant: Merchant, spot: Spot, now: datetime) -> bool:
    """Is there a newer version that can take stamps?"""
    is_older = spot.card.version < spot.program.version
    return is_older and _is_open(merchant, spot.program.design, now)


def is_at_its_end(merchant: Merchant, place: Place, spot: Spot) -> bool:
    """Does the next stamp of a card that turns belong to its next round?"""
    # What has expired begins under the newest version; what is full goes on.
    if is_expired(place.card, place.now):
        return _has_newer(merchant, spot, place.now)
    return not room_on(place)


def rank_up(tx: Tx, merchant: Merchant, spot: Spot, now: datetime) -> Program | None:
    """The program to which a full card hands on its stamps, if that can take them."""
    key = spot.design.next_program
    if key is None or key == spot.program.key:
        return None
    program = find_program(tx, merchant.id, key)
    if program is None or program.state != "active":
        return None
    known = find_card(tx, merchant.id, program.id, spot.card.customer_id)
    if known is not None and (known.state == "stopped" or known.merged_into):
        return None
    return program if _is_open(merchant, program.design, now) else None


def _is_open(merchant: Merchant, design: Design, now: datetime) -> bool:
    """Would a stamp given now stay, or is the design's fixed last day over?"""
    ends_at = _end_from(merchant, design, now)
    return ends_at is None or ends_at > now


def _end_from(merchant: Merchant, design: Design, now: datetime) -> datetime | None:
    """Until when a card is good that begins now."""
    return card_expires_at(
        design.expires,
        first=now,
        last=now,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )


def go_on(
    tx: Tx, merchant: Merchant, spot: Spot, now: datetime, cause: EntryId | None
) -> Spot:
    """Where the stamps after this card go: its rank-up card, or its newest version."""
    program = rank_up(tx, merchant, spot, now)
    if program is None or is_expired(spot.card, now):
        return _take_new_version(tx, merchant, spot, now)
    key = f"rank-up:{spot.card.id}"
    card_id = issue_card(tx, merchant, program.id, spot.card.customer_id, key, now)
    after = lock_card(tx, merchant.id, card_id)
    assert after is not None
    after = _begin_again(tx, after, now)
    update_card(tx, spot.card, next_card_id=after.id)
    announce_passes(tx, merchant.id, spot.card.id, now)
    if spot.card.remainder:
        _move_remainder(tx, spot.card, after, now, cause)
        after = replace(after, remainder=after.remainder + spot.card.remainder)
    return stand(tx, after)


def _begin_again(tx: Tx, card: Card, now: datetime) -> Card:
    """A rank-up card that was full before starts over, and takes stamps again."""
    values: dict[str, Any] = {"next_card_id": None}
    if card.balance < stand(tx, card).design.goal:
        return _changed(tx, card, **values) if card.next_card_id else card
    step = Step("rollover", -card.balance, 0)
    values["balance"] = 0
    append_entries(
        tx,
        card,
        (step,),
        how="rule",
        version=card.version,
        now=now,
        card_values=values,
    )
    return replace(card, **values)


def _move_remainder(
    tx: Tx, card: Card, after: Card, now: datetime, cause: EntryId | None
) -> None:
    """What was paid towards the next stamp goes on to the card that will get it."""
    moves = ((card, -card.remainder), (after, card.remainder))
    for each, remainder in moves:
        append_entries(
            tx,
            each,
            (Step("merge", 0, each.balance, remainder),),
            how="rule",
            version=each.version,
            now=now,
            cause=cause,
            card_values={"remainder": each.remainder + remainder},
        )


def _take_new_version(tx: Tx, merchant: Merchant, spot: Spot, now: datetime) -> Spot:
    """A card of an older version begins its next round under the newest one.

    It is good for as long as one that begins now, whatever its first stamp's time was.
    """
    card, program = spot.card, spot.program
    values: dict[str, Any] = {
        "version": program.version,
        "promise_from": program.version,
        "extended_to": max(
            filter(None, (card.extended_to, _end_from(merchant, program.design, now))),
            default=None,
        ),
    }
    moved = at_new_goal(card.balance, spot.design, program.design)
    if moved.steps and not is_expired(card, now):
        values["balance"] = moved.balance
        append_entries(
            tx,
            card,
            moved.steps,
            how="rule",
            version=program.version,
            now=now,
            card_values=values,
        )
        card = replace(card, **values)
    else:
        card = _changed(tx, card, **values)
    return Spot(card=card, program=program, design=program.design)


def _changed(tx: Tx, card: Card, **values: Any) -> Card:
    update_card(tx, card, **values)
    return replace(card, **values)
