"""Issuing cards: a part of other actions, none by itself."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.cycle import advance
from core.rules.expiry import promised_until
from core.rules.types import (
    Card,
    CardId,
    CustomerId,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
)
from core.store.cards import add_card, find_card, lock_card, update_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.passes import announce_passes
from core.store.programs import load_program


def issue_card(
    tx: Tx,
    merchant: Merchant,
    program_id: ProgramId,
    customer_id: CustomerId,
    key: str,
    now: datetime,
    external_id: str | None = None,
    *,
    with_bonus: bool = True,
) -> CardId:
    """The customer's card of a program, issued with its bonus if there is none yet.

    Raises `NotFound("program")`.
    """
    known = find_card(tx, merchant.id, program_id, customer_id)
    if known is not None:
        return known.id
    program = load_program(tx, merchant.id, program_id)
    if program is None:
        raise NotFound("program")
    card_id = add_card(
        tx, merchant.id, program_id, customer_id, program.version, now, external_id
    )
    if card_id is None:
        # Issued by another process a moment ago.
        return _the_card(tx, merchant.id, program_id, customer_id).id
    note(
        tx, merchant.id, f"customer:{customer_id}", "card.issued", card_id, now, key=key
    )
    emit(tx, merchant, "card.issued", now, card=card_id)
    _start(tx, merchant, program, card_id, now, with_bonus=with_bonus)
    return card_id


def _start(
    tx: Tx,
    merchant: Merchant,
    program: Program,
    card_id: CardId,
    now: datetime,
    *,
    with_bonus: bool,
) -> None:
    card = lock_card(tx, merchant.id, card_id)
    assert card is not None
    bonus = program.design.bonus if with_bonus else 0
    expires_at = promised_until(
        (program.design.expires,),
        first=now if bonus else None,
        last=now if bonus else None,
        extended_to=None,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )
    if not bonus:
        if expires_at is not None:
            update_card(tx, card, expires_at=expires_at)
        return
    # A bonus is below the goal: it never fills a card.
    moved = advance(0, bonus, program.design, "bonus")
    entries = append_entries(
        tx,
        card,
        moved.steps,
        how="join",
        version=card.version,
        now=now,
        card_values={
            "balance": moved.balance,
            "total": bonus,
            "first_stamp_at": now,
            "last_stamp_at": now,
            "expires_at": expires_at,
        },
    )
    issue_vouchers(tx, merchant, card, moved.earned, entries[0], now)
    announce_passes(tx, merchant.id, card_id, now)


def _the_card(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, customer_id: CustomerId
) -> Card:
    card = find_card(tx, merchant_id, program_id, customer_id)
    assert card is not None
    return card
