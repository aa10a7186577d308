"""Programs: drafts, what publishing one would do, and publishing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from core.actions.new_goal import meet_new_goal
from core.database import Tx
from core.errors import NotFound
from core.rules.expiry import promised_until
from core.rules.redesign import at_new_goal, is_over, loses_reward
from core.rules.types import (
    Card,
    Design,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
    StaffId,
)
from core.store import programs
from core.store.cards import lock_cards_of_versions, update_card
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.outbox import announce
from core.store.passes import announce_program
from core.store.program_cards import (
    count_balances,
    count_cards,
    move_cards,
    versions_in_use,
)
from core.store.programs import list_programs, load_design

# What becomes of the cards that are out there when a version is published.
CardsTo = Literal["move", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPreview:
    """What publishing would do: of `cards` that are out there, so many `gain` a reward
    at once, and for so many one that is ahead is taken away or put farther off.
    """

    cards: int
    gain: int
    lose: int


def load_program(tx: Tx, merchant_id: MerchantId, program_id: ProgramId) -> Program:
    """One program by id. Raises `NotFound("program")`."""
    return _known(programs.load_program(tx, merchant_id, program_id))


def find_program(tx: Tx, merchant_id: MerchantId, key: str) -> Program:
    """One program by key. Raises `NotFound("program")`."""
    return _known(programs.find_program(tx, merchant_id, key))


def save_draft(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    design: Design,
    staff_id: StaffId | None,
    now: datetime,
) -> None:
    """Keep what the merchant typed, without showing it to customers."""
    load_program(tx, merchant_id, program_id)
    programs.put_draft(tx, merchant_id, program_id, design)
    note(tx, merchant_id, f"staff:{staff_id}", "program.drafted", program_id, now)


def drop_draft(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    staff_id: StaffId | None,
    now: datetime,
) -> None:
    """Throw the draft away; what is published stays."""
    programs.put_draft(tx, merchant_id, program_id, None)
    note(tx, merchant_id, f"staff:{staff_id}", "program.draft_dropped", program_id, now)


def preview_publish(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    cards: CardsTo = "move",
) -> PublishPreview:
    """What publishing the draft would do to the cards that are out there."""
    program = load_program(tx, merchant_id, program_id)
    new = program.draft or program.design
    count = count_cards(tx, merchant_id).get(program_id, 0)
    if cards == "keep":
        return PublishPreview(cards=count, gain=0, lose=0)
    balances = count_balances(tx, merchant_id, program_id)
    versions = {version for version, _ in balances}
    designs = programs.designs_of(tx, merchant_id, program_id, versions)
    gain = lose = 0
    for (version, balance), n_cards in balances.items():
        own = designs[version]
        gain += n_cards if at_new_goal(balance, own, new).earned else 0
        lose += n_cards if loses_reward(balance, own, new) else 0
    return PublishPreview(cards=count, gain=gain, lose=lose)


def publish(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    staff_id: StaffId | None,
    now: datetime,
    cards: CardsTo = "move",
) -> int:
    """Make the draft the next version; its number.

    The cards that are out there "move" on to it, from whatever version each is on, or
    "keep" theirs: then it is for new cards, and for theirs from their next round on.
    Without a draft nothing changes and the present version is returned.
    """
    programs.lock_program(tx, merchant_id, program_id)
    program = load_program(tx, merchant_id, program_id)
    if program.draft is None:
        return program.version
    version, moves = program.version + 1, cards == "move"
    programs.append_version(
        tx,
        merchant_id,
        program_id,
        version,
        program.draft,
        staff_id,
        now,
        moved_cards=moves,
    )
    moved = _move(tx, program, program.draft, version, now) if moves else 0
    # Also where cards keep theirs: new ones have the new look from now on.
    announce(tx, merchant_id, f"class:{program_id}", now)
    actor = f"staff:{staff_id}" if staff_id else "operator"
    note(
        tx,
        merchant_id,
        actor,
        "program.published",
        program_id,
        now,
        version=version,
        cards=moved,
    )
    return version


def _move(tx: Tx, program: Program, new: Design, version: int, now: datetime) -> int:
    """Put every card on `version`, and let those complete that are at its goal."""
    ids = (program.merchant_id, program.id)
    designs = programs.designs_of(tx, *ids, versions_in_use(tx, *ids))
    # The others stand in the new version where they stood.
    touched = {
        number: old
        for number, old in designs.items()
        if (old.goal, old.expires) != (new.goal, new.expires)
    }
    held = lock_cards_of_versions(tx, *ids, touched) if touched else []
    count = move_cards(tx, *ids, version)
    merchant = load_merchant(tx, program.merchant_id)
    for card in held:
        if card.merged_into is None and card.next_card_id is None:
            moved = replace(card, version=version)
            _settle(tx, merchant, moved, touched[card.version], new, now)
    announce_program(tx, *ids, now)
    return count


def _settle(
    tx: Tx, merchant: Merchant, card: Card, old: Design, new: Design, now: datetime
) -> None:
    """Bring a (locked) card of `old` to where it stands in `new`."""
    moved = at_new_goal(card.balance, old, new)
    expires_at = _good_until(tx, merchant, card, now)
    if moved.steps:
        meet_new_goal(tx, merchant, card, moved, now, expires_at=expires_at)
    elif expires_at != card.expires_at:
        update_card(tx, card, expires_at=expires_at)


def _good_until(
    tx: Tx, merchant: Merchant, card: Card, now: datetime
) -> datetime | None:
    if is_over(card, now):
        # Its stamps have gone: until the next one it says so.
        return card.expires_at
    first = card.first_stamp_at
    return promised_until(
        programs.promises(tx, card),
        first=first,
        last=first and (card.last_stamp_at or first),
        extended_to=card.extended_to,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )


def _known(program: Program | None) -> Program:
    if program is None:
        raise NotFound("program")
    return program


__all__ = [
    "CardsTo",
    "PublishPreview",
    "drop_draft",
    "find_program",
    "list_programs",
    "load_design",
    "load_program",
    "preview_publish",
    "publish",
    "save_draft",
]
