"""Meeting people and issuing their cards: friend added, first code, or without LINE."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import LinePerson
from core.rules.cycle import advance
from core.rules.expiry import card_expires_at
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    Language,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
)
from core.store.answers import first_answer, keep_answer
from core.store.cards import add_card, find_card, lock_card, update_card
from core.store.customers import add_customer, find_customer, update_customer
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.programs import find_program, list_programs, load_program


def know_person(tx: Tx, merchant_id: MerchantId, line_user_id: str) -> Customer | None:
    """The customer behind a LINE user id, or None."""
    return find_customer(tx, merchant_id, line_user_id=line_user_id)


def meet_person(
    tx: Tx, merchant_id: MerchantId, person: LinePerson, now: datetime
) -> Customer:
    """The customer behind a LINE person, created or with the profile made current."""
    known = find_customer(tx, merchant_id, line_user_id=person.user_id)
    if known is None:
        return add_customer(
            tx,
            merchant_id,
            language=person.language or "ja",
            now=now,
            name=person.name,
            line_user_id=person.user_id,
        )
    fresh = {
        "name": person.name or known.name,
        "language": person.language or known.language,
    }
    if fresh != {"name": known.name, "language": known.language}:
        update_customer(tx, merchant_id, known.id, **fresh)
        return find_customer(tx, merchant_id, line_user_id=person.user_id) or known
    return known


def follow(
    tx: Tx, merchant_id: MerchantId, person: LinePerson, key: str, now: datetime
) -> tuple[CardId, ...]:
    """A friend added (again): a card of every open program, each with its bonus.

    Idempotent: cards that are there stay as they are, so a return after a block
    brings back what was collected.
    """
    merchant = load_merchant(tx, merchant_id)
    customer = meet_person(tx, merchant_id, person, now)
    update_customer(tx, merchant_id, customer.id, followed_at=now)
    programs = list_programs(tx, merchant_id)
    rank_ups = {program.design.next_program for program in programs}
    return tuple(
        issue_card(tx, merchant, program.id, customer.id, key, now)
        for program in programs
        if program.state == "active" and program.key not in rank_ups
    )


def unfollow(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, happened_at: datetime
) -> None:
    """The shop was blocked; cards and stamps stay.

    Friend is who followed last: with redelivery an old block may arrive after a newer
    friendship, or the other way round, so each keeps its own time.
    """
    customer = find_customer(tx, merchant_id, lock=True, line_user_id=line_user_id)
    if customer is not None:
        update_customer(tx, merchant_id, customer.id, unfollowed_at=happened_at)


def open_card(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_key: str,
    key: str,
    now: datetime,
    name: str = "",
    external_id: str | None = None,
    language: Language = "ja",
) -> CardId:
    """A card for somebody without LINE. Raises `NotFound("program")`."""
    first = first_answer(tx, merchant_id, key, now)
    if first is not None:
        return CardId(first["card"])
    program = find_program(tx, merchant_id, program_key)
    if program is None:
        raise NotFound("program")
    merchant = load_merchant(tx, merchant_id)
    customer = add_customer(
        tx, merchant_id, language=language, now=now, name=name, external_id=external_id
    )
    card_id = issue_card(
        tx, merchant, program.id, customer.id, key, now, external_id=external_id
    )
    keep_answer(tx, merchant_id, key, {"card": card_id})
    return card_id


def issue_card(
    tx: Tx,
    merchant: Merchant,
    program_id: ProgramId,
    customer_id: CustomerId,
    key: str,
    now: datetime,
    external_id: str | None = None,
) -> CardId:
    """The customer's card of a program, issued with its bonus if there is none yet.

    A part of other actions, not one by itself. Raises `NotFound("program")`.
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
    _start(tx, merchant, program, card_id, now)
    return card_id


def _start(
    tx: Tx, merchant: Merchant, program: Program, card_id: CardId, now: datetime
) -> None:
    card = lock_card(tx, merchant.id, card_id)
    assert card is not None
    bonus = program.design.bonus
    expires_at = card_expires_at(
        program.design.expires,
        first=now if bonus else None,
        last=now if bonus else None,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
    )
    if bonus:
        moved = advance(0, bonus, program.design, "bonus")
        entries = append_entries(
            tx, card, moved.steps, how="join", version=card.version, now=now
        )
        issue_vouchers(tx, merchant, card, moved.earned, entries[0], now)
        update_card(
            tx,
            card,
            balance=moved.balance,
            total=bonus,
            first_stamp_at=now,
            expires_at=expires_at,
        )
        announce_passes(tx, merchant.id, card_id, now)
    elif expires_at is not None:
        update_card(tx, card, expires_at=expires_at)


def _the_card(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, customer_id: CustomerId
) -> Card:
    card = find_card(tx, merchant_id, program_id, customer_id)
    assert card is not None
    return card
