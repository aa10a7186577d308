"""Programs: drafts, what publishing one would do, and publishing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.expiry import card_expires_at
from core.rules.redesign import at_new_goal, later_expiry
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
from core.store.cards import (
    cards_of_program,
    count_balances,
    move_cards,
    update_card,
)
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.merchants import load_merchant
from core.store.passes import announce_program
from core.store.programs import list_programs, load_design


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPreview:
    """What publishing would do: of `cards`, so many gain and lose a reward."""

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
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> PublishPreview:
    """What publishing the draft would do to the cards that are out there."""
    program = load_program(tx, merchant_id, program_id)
    new = program.draft or program.design
    counts = count_balances(tx, merchant_id, program_id)
    gain = sum(
        count
        for balance, count in counts.items()
        if at_new_goal(balance, program.design, new).earned
    )
    return PublishPreview(cards=sum(counts.values()), gain=gain, lose=0)


def publish(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    staff_id: StaffId | None,
    now: datetime,
) -> int:
    """Make the draft the next version and move every card on to it; its number.

    Without a draft nothing changes and the present version is returned.
    """
    programs.lock_program(tx, merchant_id, program_id)
    program = load_program(tx, merchant_id, program_id)
    if program.draft is None:
        return program.version
    version = program.version + 1
    programs.append_version(
        tx, merchant_id, program_id, version, program.draft, staff_id, now
    )
    moved = move_cards(tx, merchant_id, program_id, version)
    _complete_cards(tx, program, program.draft, now)
    announce_program(tx, merchant_id, program_id, now)
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


def _complete_cards(tx: Tx, program: Program, new: Design, now: datetime) -> None:
    old = program.design
    if new.goal == old.goal and new.expires == old.expires:
        return
    merchant = load_merchant(tx, program.merchant_id)
    least = 0 if new.expires != old.expires else min(new.goal, old.goal)
    cards = cards_of_program(
        tx, program.merchant_id, program.id, least=least, lock=True
    )
    for card in cards:
        moved = at_new_goal(card.balance, old, new)
        expires_at = later_expiry(card.expires_at, _expiry(merchant, card, new))
        if not moved.steps and expires_at == card.expires_at:
            continue
        if moved.steps:
            entries = append_entries(
                tx, card, moved.steps, how="rule", version=card.version, now=now
            )
            issue_vouchers(tx, merchant, card, moved.earned, entries[0], now)
        update_card(
            tx,
            card,
            balance=moved.balance,
            cycle=card.cycle + moved.completions,
            expires_at=expires_at,
        )


def _expiry(merchant: Merchant, card: Card, design: Design) -> datetime | None:
    return card_expires_at(
        design.expires,
        first=card.first_stamp_at,
        last=card.last_stamp_at or card.first_stamp_at,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )


def _known(program: Program | None) -> Program:
    if program is None:
        raise NotFound("program")
    return program


__all__ = [
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
