"""Till codes: made for one purchase, claimed by one customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.types import (
    Entry,
    MerchantId,
    StaffId,
    TillCode,
)
from core.store.answers import first_answer, keep_answer
from core.store.cards import load_card
from core.store.customers import find_customer
from core.store.journal import note
from core.store.ledger import load_entry
from core.store.merchants import list_shops
from core.store.programs import find_program
from core.store.till_codes import (
    add_till_code,
    end_till_code,
    find_till_code,
    waiting_codes,
    waiting_digits,
)
from core.vault import new_digits, new_letters

LIVES = timedelta(seconds=90)
MAX_STAMPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCodeState:
    """Where a code stands; `customer_name` and `entry` once it is claimed."""

    state: Literal["waiting", "claimed", "expired"]
    code: TillCode
    customer_name: str = ""
    entry: Entry | None = None


def make_till_code(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    shop_key: str,
    program_key: str,
    stamps: int,
    staff_id: StaffId | None,
    now: datetime,
    key: str | None = None,
) -> TillCode:
    """A single-use code, good for 90 s; the same `key` gets the same code again.

    Raises `NotFound` for the shop or program, `Invalid` for the number of stamps, and
    for a `key` that asked for something else before.
    """
    asked = [shop_key, program_key, stamps]
    first = key and first_answer(tx, merchant_id, key, now)
    if first:
        if first["asked"] != asked:
            raise Invalid({"key": ("till.key_reused", {})})
        known = find_till_code(tx, merchant_id, first["code"])
        if known is not None:
            return known
    shop = next((s for s in list_shops(tx, merchant_id) if s.key == shop_key), None)
    if shop is None:
        raise NotFound("shop")
    program = find_program(tx, merchant_id, program_key)
    if program is None:
        raise NotFound("program")
    if not 1 <= stamps <= MAX_STAMPS:
        raise Invalid({"stamps": ("invalid.stamps", {"max": MAX_STAMPS})})
    code = TillCode(
        code=_new_code(),
        digits=_free_digits(tx, merchant_id, now),
        merchant_id=merchant_id,
        program_id=program.id,
        shop_id=shop.id,
        staff_id=staff_id,
        stamps=stamps,
        expires_at=now + LIVES,
    )
    add_till_code(tx, code, now)
    if key:
        keep_answer(tx, merchant_id, key, {"code": code.code, "asked": asked})
    actor = f"staff:{staff_id}" if staff_id else "api"
    note(tx, merchant_id, actor, "till_code.made", shop.id, now, stamps=stamps)
    return code


def till_code_state(
    tx: Tx, merchant_id: MerchantId, code: str, now: datetime
) -> TillCodeState:
    """Where a code stands. Raises `NotFound("till code")`."""
    found = find_till_code(tx, merchant_id, code)
    if found is None:
        raise NotFound("till code")
    if found.claimed_by is None or found.entry_id is None:
        over = found.is_over(now)
        return TillCodeState(state="expired" if over else "waiting", code=found)
    card = load_card(tx, merchant_id, found.claimed_by)
    customer = card and find_customer(tx, merchant_id, id=card.customer_id)
    return TillCodeState(
        state="claimed",
        code=found,
        customer_name=customer.name if customer else "",
        entry=load_entry(tx, merchant_id, found.entry_id),
    )


def open_till_codes(tx: Tx, merchant_id: MerchantId, now: datetime) -> list[TillCode]:
    """The codes that could be claimed at this moment, newest first."""
    return waiting_codes(tx, merchant_id, now)


def cancel_till_code(tx: Tx, merchant_id: MerchantId, code: str, now: datetime) -> None:
    """Staff took the code back: it expires now unless it was claimed."""
    found = find_till_code(tx, merchant_id, code, lock=True)
    if found is not None and found.claimed_at is None:
        end_till_code(tx, found, now)


def _new_code() -> str:
    # Letters alone would read as a word of a chat, digits alone as a member number.
    while True:
        code = new_letters(8)
        if not code.isalpha() and not code.isdecimal():
            return code


def _free_digits(tx: Tx, merchant_id: MerchantId, now: datetime) -> str:
    # Six digits repeat sooner or later: two codes that wait must not share them.
    taken = waiting_digits(tx, merchant_id, now)
    while (digits := new_digits(6)) in taken:
        pass
    return digits
