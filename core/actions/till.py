"""Till codes: made for one purchase, or anew each thirty seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.actions.once import check_question
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.codes import GRACE, WINDOW, window_start
from core.rules.types import (
    Entry,
    MerchantId,
    ProgramId,
    ShopId,
    StaffId,
    TillCode,
)
from core.store.answers import first_answer, keep_answer
from core.store.cards import load_card
from core.store.customers import find_customer
from core.store.journal import note
from core.store.ledger import list_entries, load_entry
from core.store.merchants import list_shops, lock_shop
from core.store.programs import find_program
from core.store.till_codes import (
    add_till_code,
    end_till_code,
    find_till_code,
    waiting_codes,
    waiting_digits,
    window_code,
    window_uses,
)
from core.vault import new_digits, new_letters

LIVES = timedelta(seconds=90)
MAX_STAMPS = 50
# A till in auto mode shows so many of those who claimed, for so long.
SHOWN_FOR = timedelta(seconds=20)
MOST_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCodeState:
    """Where a code stands; `customer_name` and `entry` once it is claimed."""

    state: Literal["waiting", "claimed", "expired"]
    code: TillCode
    customer_name: str = ""
    entry: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowUse:
    """Who just got stamps by a till in auto mode."""

    entry: Entry
    card_code: str
    customer_name: str
    member_no: str


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
        check_question(first, asked)
        known = find_till_code(tx, merchant_id, first["code"])
        if known is not None:
            return known
    shop_id, program_id = place_code(tx, merchant_id, shop_key, program_key, stamps)
    code = TillCode(
        code=new_code(),
        digits=_free_digits(tx, merchant_id, now),
        merchant_id=merchant_id,
        program_id=program_id,
        shop_id=shop_id,
        staff_id=staff_id,
        stamps=stamps,
        expires_at=now + LIVES,
    )
    add_till_code(tx, code, now)
    if key:
        keep_answer(tx, merchant_id, key, {"code": code.code, "asked": asked})
    actor = f"staff:{staff_id}" if staff_id else "api"
    note(tx, merchant_id, actor, "till_code.made", shop_id, now, stamps=stamps)
    return code


def current_window(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    shop_key: str,
    program_key: str,
    stamps: int,
    staff_id: StaffId | None,
    now: datetime,
) -> TillCode:
    """The code that a till in auto mode shows at `now`: another each thirty seconds.

    Every till of a shop shows the same one, and each customer may use it once. Raises
    as `make_till_code` does.
    """
    shop_id, program_id = place_code(tx, merchant_id, shop_key, program_key, stamps)
    # Locked, so that two tills which ask at once get one code.
    lock_shop(tx, merchant_id, shop_id)
    started_at = window_start(now)
    known = window_code(tx, merchant_id, program_id, shop_id, stamps, started_at)
    if known is not None:
        return known
    code = TillCode(
        code=new_code(),
        digits=_free_digits(tx, merchant_id, now),
        merchant_id=merchant_id,
        program_id=program_id,
        shop_id=shop_id,
        staff_id=staff_id,
        stamps=stamps,
        expires_at=started_at + WINDOW + GRACE,
        kind="window",
    )
    add_till_code(tx, code, started_at)
    return code


def latest_uses(tx: Tx, code: TillCode, now: datetime) -> list[WindowUse]:
    """Who claimed by this window, or those just before it, and was not undone.

    Newest first, three at most, for twenty seconds; each is signalled as
    "tills:<merchant>".
    """
    where = (code.merchant_id, code.program_id, code.shop_id)
    found = []
    for entry_id in window_uses(tx, *where, now - SHOWN_FOR, MOST_SHOWN):
        entry = load_entry(tx, code.merchant_id, entry_id)
        card = entry and load_card(tx, code.merchant_id, entry.card_id)
        customer = card and find_customer(tx, code.merchant_id, id=card.customer_id)
        if not entry or not card or not customer or _is_undone(tx, code, entry):
            continue
        use = WindowUse(
            entry=entry,
            card_code=card.code,
            customer_name=customer.name,
            member_no=customer.member_no,
        )
        found.append(use)
    return found


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


def place_code(
    tx: Tx, merchant_id: MerchantId, shop_key: str, program_key: str, stamps: int
) -> tuple[ShopId, ProgramId]:
    """Where and for what a code is made. Raises `NotFound` and `Invalid`."""
    shop = next((s for s in list_shops(tx, merchant_id) if s.key == shop_key), None)
    if shop is None:
        raise NotFound("shop")
    program = find_program(tx, merchant_id, program_key)
    if program is None:
        raise NotFound("program")
    if not 1 <= stamps <= MAX_STAMPS:
        raise Invalid({"stamps": ("invalid.stamps", {"max": MAX_STAMPS})})
    return shop.id, program.id


def new_code() -> str:
    """Eight fresh letters that read as a code wherever they stand."""
    # Letters alone would read as a word of a chat, digits alone as a member number.
    while True:
        code = new_letters(8)
        if not code.isalpha() and not code.isdecimal():
            return code


def _is_undone(tx: Tx, code: TillCode, entry: Entry) -> bool:
    later = list_entries(tx, code.merchant_id, entry.card_id, before=None, limit=20)
    return any(each.undoes == entry.id for each in later)


def _free_digits(tx: Tx, merchant_id: MerchantId, now: datetime) -> str:
    # Six digits repeat sooner or later: two codes that wait must not share them.
    taken = waiting_digits(tx, merchant_id, now)
    while (digits := new_digits(6)) in taken:
        pass
    return digits
