"""Whose card a scan is: the one place that reads it, for the till and for what a till
kept without network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from core.database import Tx
from core.rules.member_codes import is_good
from core.rules.pass_codes import KEY_LENGTH, PassCode, counter_of
from core.rules.scanned import CardCode, MemberCode, MemberNo, Scanned
from core.rules.types import Card, Customer, MerchantId, PassId
from core.store.barcodes import GooglePass, google_passes_of, use_barcode
from core.store.cards import cards_of_customer, find_card_by_code, load_card
from core.store.customers import find_customer
from core.store.old_codes import find_old_code
from core.vault import Vault

# "member": a 会員証 page shows another code by now; "changed": so does a pass; "used":
# somebody else scanned this one; "replaced": the card was re-issued.
WhyUnread = Literal["member", "changed", "used", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeKeys:
    """The secrets under which codes are made that change.

    `ahead` is how far our clock was moved for a drill: phones have the true time.
    """

    member: bytes
    of_pass: Callable[[PassId], bytes]
    ahead: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan `at` an instant; None: whenever it was, for a code that stays.

    A code that is good once is kept for `by`, who asks. From `seen_by`, who only looked
    at the card, it may be taken over.
    """

    merchant_id: MerchantId
    what: Scanned
    at: datetime | None
    by: str
    seen_by: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A code that opens nothing now, and why."""

    why: WhyUnread


def member_key(vault: Vault) -> bytes:
    """The secret under which member codes are made."""
    return vault.derive("member code")


def barcode_key(vault: Vault, pass_id: PassId) -> bytes:
    """The secret of one Google pass: a pass that replaces it has another one."""
    return vault.derive("google-barcode", pass_id, length=KEY_LENGTH)


def code_keys(vault: Vault, ahead: timedelta) -> CodeKeys:
    """The secrets of this service; `ahead` is its clock's offset."""
    return CodeKeys(
        member=member_key(vault),
        of_pass=lambda pass_id: barcode_key(vault, pass_id),
        ahead=ahead,
    )


def cards_scanned(
    tx: Tx, scan: Scan, keys: CodeKeys, now: datetime
) -> list[Card] | Unread:
    """The very cards that a scan names: one, or all of a customer; none for nobody.

    A `PassCode` is written down as used, so it needs a transaction that may write.
    """
    match scan.what:
        case CardCode(code):
            return _with_code(tx, scan, code)
        case PassCode():
            return _with_pass(tx, scan, scan.what, keys, now)
        case MemberNo(number):
            customer = _customer(tx, scan.merchant_id, number)
        case MemberCode(number, code):
            customer = _customer(tx, scan.merchant_id, number)
            at = scan.at
            if customer and at and not is_good(code, customer, keys.member, at):
                return Unread("member")
        case _:
            assert_never(scan.what)
    if customer is None:
        return []
    return cards_of_customer(tx, scan.merchant_id, customer.id)


def _with_code(tx: Tx, scan: Scan, code: str) -> list[Card] | Unread:
    card = find_card_by_code(tx, code, own=True)
    if card is None:
        old = find_old_code(tx, code)
        if old is None or old.merchant_id != scan.merchant_id:
            return []
        if scan.at is not None and scan.at >= old.replaced_at:
            return Unread("replaced")
        card = load_card(tx, old.merchant_id, old.card_id, own=True)
    return [card] if card and card.merchant_id == scan.merchant_id else []


def _with_pass(
    tx: Tx, scan: Scan, code: PassCode, keys: CodeKeys, now: datetime
) -> list[Card] | Unread:
    customer = _customer(tx, scan.merchant_id, code.number)
    if customer is None or scan.at is None:
        return []
    found: tuple[GooglePass, int] | None = None
    for held in google_passes_of(tx, scan.merchant_id, customer.id):
        key = keys.of_pass(held.id)
        counter = counter_of(code.value, key, scan.at - keys.ahead)
        # Where two make the same value, the one that is good.
        if counter is not None and (found is None or held.replaced_at is None):
            found = held, counter
    if found is None:
        return Unread("changed")
    held, counter = found
    if held.replaced_at is not None and scan.at >= held.replaced_at:
        return Unread("replaced")
    if not use_barcode(tx, held, counter, by=scan.by, seen_by=scan.seen_by, now=now):
        return Unread("used")
    card = load_card(tx, held.merchant_id, held.card_id, own=True)
    return [card] if card else []


def _customer(tx: Tx, merchant_id: MerchantId, number: str) -> Customer | None:
    customer = find_customer(tx, merchant_id, member_no=number)
    return customer if customer and customer.erased_at is None else None
