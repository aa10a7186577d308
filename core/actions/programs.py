"""A program's states, and a longer life for the cards that are out there.

Stamps, vouchers and figures stay in every state: only what comes after is different.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Refused
from core.rules.days import business_day, end_of
from core.rules.types import (
    MerchantId,
    Program,
    ProgramId,
    ProgramState,
    Staff,
    Why,
)
from core.store import programs
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.passes import announce_program
from core.store.program_cards import count_cards, count_ending, extend_cards

MAX_YEARS = 10


def programs_with_counts(tx: Tx, merchant_id: MerchantId) -> list[tuple[Program, int]]:
    """The merchant's programs in their own order, and how many cards each has."""
    counts = count_cards(tx, merchant_id)
    found = programs.list_programs(tx, merchant_id)
    return [(program, counts.get(program.id, 0)) for program in found]


def pause_program(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_id: ProgramId,
    by: Staff | None,
    now: datetime,
) -> Program | Refused:
    """Give no stamps and issue no cards for now; vouchers stay good.

    For owners and managers; `by` None is the operator. Raises `NotFound("program")`.
    """
    return _put_state(tx, merchant_id, program_id, "paused", by, now)


def archive_program(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_id: ProgramId,
    by: Staff | None,
    now: datetime,
) -> Program | Refused:
    """End a program: its cards are stopped, its vouchers stay good.

    By whom, and what it raises, is as for `pause_program`.
    """
    return _put_state(tx, merchant_id, program_id, "archived", by, now)


def reopen_program(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_id: ProgramId,
    by: Staff | None,
    now: datetime,
) -> Program | Refused:
    """Let a paused or archived program go on where it was.

    By whom, and what it raises, is as for `pause_program`.
    """
    return _put_state(tx, merchant_id, program_id, "active", by, now)


def lengthen_expiry(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_id: ProgramId,
    until: date,
    by: Staff | None,
    now: datetime,
) -> int | Refused:
    """Make every card of a program good to the end of business day `until` at least.

    The number of cards that would have ended before. Cards that never end are left
    alone, and those whose stamps have gone already. By whom is as for `pause_program`.
    Raises `NotFound("program")`, and `Invalid` for an "until" in the past or too far.
    """
    refused = _may_not(by)
    if refused is not None:
        return refused
    _lock(tx, merchant_id, program_id)
    end = _end_of(tx, merchant_id, until, now)
    count = extend_cards(tx, merchant_id, program_id, end, now)
    if count:
        announce_program(tx, merchant_id, program_id, now)
    detail = {"until": until.isoformat(), "cards": count}
    note(tx, merchant_id, _actor(by), "expiry.lengthened", program_id, now, **detail)
    return count


def preview_lengthen(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_id: ProgramId,
    until: date,
    now: datetime,
) -> int:
    """How many cards `lengthen_expiry` would change; raises as it does."""
    if programs.load_program(tx, merchant_id, program_id) is None:
        raise NotFound("program")
    end = _end_of(tx, merchant_id, until, now)
    return count_ending(tx, merchant_id, program_id, end, now)


def _put_state(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    state: ProgramState,
    by: Staff | None,
    now: datetime,
) -> Program | Refused:
    refused = _may_not(by)
    if refused is not None:
        return refused
    program = _lock(tx, merchant_id, program_id)
    if program.state == state:
        return program
    programs.put_state(tx, merchant_id, program_id, state)
    announce_program(tx, merchant_id, program_id, now)
    action = "reopened" if state == "active" else state
    note(tx, merchant_id, _actor(by), f"program.{action}", program_id, now)
    return replace(program, state=state)


def _may_not(by: Staff | None) -> Refused | None:
    if by is None or by.role in {"owner", "manager"}:
        return None
    return Refused(why=Why.not_allowed)


def _lock(tx: Tx, merchant_id: MerchantId, program_id: ProgramId) -> Program:
    programs.lock_program(tx, merchant_id, program_id)
    program = programs.load_program(tx, merchant_id, program_id)
    if program is None:
        raise NotFound("program")
    return program


def _end_of(tx: Tx, merchant_id: MerchantId, until: date, now: datetime) -> datetime:
    merchant = load_merchant(tx, merchant_id)
    zone = ZoneInfo(merchant.timezone)
    today = business_day(now, zone, merchant.day_starts_at)
    if not today <= until <= today + timedelta(days=365 * MAX_YEARS):
        raise Invalid({"until": ("invalid.until", {"max": MAX_YEARS})})
    return end_of(until, zone, merchant.day_starts_at)


def _actor(by: Staff | None) -> str:
    return f"staff:{by.id}" if by else "operator"
