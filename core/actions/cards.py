"""Reading cards: their faces, their holders and their histories.

A card that was linked to another one is read as that one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from core.database import Tx
from core.errors import NotFound
from core.rules.face import CardFace, draw_face
from core.rules.types import (
    Card,
    CardId,
    Customer,
    Design,
    Entry,
    EntryId,
    MerchantId,
    Program,
)
from core.store.cards import (
    cards_of_customer,
    cards_with_external_id,
    find_card_by_code,
    find_card_by_id,
)
from core.store.cards import load_card as stored_card
from core.store.cards import search_cards as store_search
from core.store.customers import find_customer
from core.store.ledger import list_entries
from core.store.ledger import load_entry as stored_entry
from core.store.merchants import list_shops, load_merchant
from core.store.programs import design_of, find_program, load_program
from core.store.vouchers import list_vouchers

# What people type for the hyphen of a member number, after four of its digits.
_HYPHENS = re.compile("[-\u2010\u2212\u30fc ]")
_HALF = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """A card with all that staff and machines may know of it."""

    card: Card
    face: CardFace
    customer: Customer
    program: Program


def load_card(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime
) -> CardView:
    """One card. Raises `NotFound("card")`."""
    card = stored_card(tx, merchant_id, card_id)
    if card is None:
        raise NotFound("card")
    return _view(tx, card, now)


def load_face(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime
) -> CardFace:
    """What may be shown of one card. Raises `NotFound("card")`."""
    return load_card(tx, merchant_id, card_id, now).face


def cards_of_person(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, now: datetime
) -> list[CardFace]:
    """The faces of a LINE user's cards, oldest first."""
    views = find_cards(tx, merchant_id, now, line_user_id=line_user_id)
    return [view.face for view in views]


def find_cards(
    tx: Tx,
    merchant_id: MerchantId,
    now: datetime,
    *,
    line_user_id: str | None = None,
    member_no: str | None = None,
    external_id: str | None = None,
) -> list[CardView]:
    """The cards of the customer with this id, number, or POS id; maybe none."""
    if external_id is not None:
        cards = cards_with_external_id(tx, merchant_id, external_id)
        return [_view(tx, card, now) for card in cards]
    if line_user_id is not None:
        customer = find_customer(tx, merchant_id, line_user_id=line_user_id)
    else:
        customer = find_customer(tx, merchant_id, member_no=member_no or "")
    if customer is None:
        return []
    return [
        _view(tx, card, now) for card in cards_of_customer(tx, merchant_id, customer.id)
    ]


def search_cards(
    tx: Tx, merchant_id: MerchantId, text: str, now: datetime, limit: int = 20
) -> list[CardView]:
    """The cards of customers whose name or member number begins so, last used first.

    A name's later words count too, as people are called by them; so do digits typed
    without the number's hyphen, and wide letters.
    """
    words = " ".join(unicodedata.normalize("NFKC", text).split())
    if not words.isprintable():
        return []
    digits = _HYPHENS.sub("", words)
    number = ""
    if digits.isdecimal():
        number = digits if len(digits) <= _HALF else f"{digits[:4]}-{digits[4:]}"
    cards = store_search(tx, merchant_id, words, number, limit)
    return [_view(tx, card, now) for card in cards]


def card_by_code(tx: Tx, code: str, now: datetime) -> CardView | None:
    """The card whose barcode carries `code`, whoever's it is, or None."""
    card = find_card_by_code(tx, code)
    return None if card is None else _view(tx, card, now)


def card_by_id(tx: Tx, card_id: CardId, now: datetime) -> CardView | None:
    """The card that a link of ours names, whoever's it is, or None."""
    card = find_card_by_id(tx, card_id)
    return None if card is None else _view(tx, card, now)


def ledger(
    tx: Tx,
    merchant_id: MerchantId,
    card_id: CardId,
    *,
    before: EntryId | None = None,
    limit: int = 50,
) -> list[Entry]:
    """A card's entries, newest first, those older than `before`."""
    card = stored_card(tx, merchant_id, card_id)
    standing = card_id if card is None else card.id
    return list_entries(tx, merchant_id, standing, before=before, limit=limit)


def load_entry(tx: Tx, merchant_id: MerchantId, entry_id: EntryId) -> Entry:
    """One ledger entry. Raises `NotFound("entry")`."""
    entry = stored_entry(tx, merchant_id, entry_id)
    if entry is None:
        raise NotFound("entry")
    return entry


def _view(tx: Tx, card: Card, now: datetime) -> CardView:
    customer = find_customer(tx, card.merchant_id, id=card.customer_id)
    program = load_program(tx, card.merchant_id, card.program_id)
    design = program and design_of(tx, program, card.version)
    if customer is None or not program or not design:
        raise NotFound("card")
    face = draw_face(
        merchant=load_merchant(tx, card.merchant_id),
        program=program,
        design=design,
        card=card,
        customer=customer,
        vouchers=list_vouchers(tx, card.merchant_id, card.id, now),
        shops=list_shops(tx, card.merchant_id),
        now=now,
        next_program_name=_leads_to(tx, card, design),
    )
    return CardView(card=card, face=face, customer=customer, program=program)


def _leads_to(tx: Tx, card: Card, design: Design) -> str | None:
    """The name of the card that this one handed its stamps on to, or will."""
    if card.next_card_id is not None:
        after = stored_card(tx, card.merchant_id, card.next_card_id)
        program = after and load_program(tx, card.merchant_id, after.program_id)
        return program.design.name if program else None
    if design.next_program is None:
        return None
    program = find_program(tx, card.merchant_id, design.next_program)
    return program.design.name if program and program.state == "active" else None
