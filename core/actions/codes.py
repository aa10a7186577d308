"""Using a code: is it good for this person, and noting that it was used. Parts of
granting, no actions by themselves.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.database import Tx
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.codes import decide_code
from core.rules.days import business_day, end_of
from core.rules.types import Customer, Merchant, Shop, TillCode, Why
from core.store.customers import append_refusal, refusals_since
from core.store.merchants import list_shops
from core.store.till_codes import (
    claim_till_code,
    find_till_code,
    is_digits,
    is_of_another_merchant,
    note_use,
    was_used,
)

# Five wrong codes in ten minutes is guessing, not mistyping.
MAX_TRIES = 5
TRIES_WITHIN = timedelta(minutes=10)
# So many from all of a merchant's customers together is guessing with many accounts.
# Six digits can be guessed, eight letters cannot: those go on, and so does the queue.
MAX_SHOP_TRIES = 50


def open_code(
    tx: Tx, merchant: Merchant, customer: Customer, ask: StampAsk, now: datetime
) -> TillCode | Refused:
    """The (locked) code that a (locked) customer typed, if it is good for them."""
    text = ask.code or ""
    refused = _guessing(tx, merchant, customer, text, now)
    if refused is not None:
        return refused
    code = find_till_code(tx, merchant.id, text, lock=True)
    if code is None:
        foreign = is_of_another_merchant(tx, merchant.id, text)
        why = Why.wrong_merchant if foreign else Why.unknown_code
        return _refuse(tx, customer, Refused(why=why), text, now)
    refused = decide_code(
        code,
        shop=_shop(tx, code),
        place=ask.place,
        was_used=_was_used(tx, merchant, code, customer, now),
        tomorrow=end_of(_today(merchant, now), _zone(merchant), merchant.day_starts_at),
        now=now,
    )
    return code if refused is None else _refuse(tx, customer, refused, text, now)


def settle_code(
    tx: Tx,
    merchant: Merchant,
    code: TillCode,
    customer: Customer,
    outcome: Granted | Refused,
    now: datetime,
) -> None:
    """Note what became of a code that was good: used, or kept by a limit."""
    if isinstance(outcome, Refused):
        _refuse(tx, customer, outcome, code.code, now)
    elif code.kind in {"single", "receipt"}:
        claim_till_code(tx, code, outcome.card_id, outcome.entry_id, now)
    else:
        day = _use_day(merchant, code, now)
        note_use(tx, code, customer.id, day, outcome.entry_id, now)


def _guessing(
    tx: Tx, merchant: Merchant, customer: Customer, text: str, now: datetime
) -> Refused | None:
    since = now - TRIES_WITHIN
    own = refusals_since(tx, merchant.id, Why.unknown_code, since, customer.id)
    if len(own) >= MAX_TRIES:
        retry_at = own[-MAX_TRIES] + TRIES_WITHIN
        return Refused(why=Why.too_many_tries, retry_at=retry_at)
    if not is_digits(text):
        return None
    of_all = refusals_since(tx, merchant.id, Why.unknown_code, since)
    if len(of_all) < MAX_SHOP_TRIES:
        return None
    retry_at = of_all[-MAX_SHOP_TRIES] + TRIES_WITHIN
    return Refused(why=Why.too_many_tries, retry_at=retry_at)


def _refuse(
    tx: Tx, customer: Customer, refused: Refused, text: str, now: datetime
) -> Refused:
    # What was tried and why not is what a customer's claim will tell.
    append_refusal(tx, customer.merchant_id, customer.id, refused.why, text[:16], now)
    return refused


def _was_used(
    tx: Tx, merchant: Merchant, code: TillCode, customer: Customer, now: datetime
) -> bool:
    if code.kind in {"single", "receipt"}:
        return False
    return was_used(tx, code, customer.id, _use_day(merchant, code, now))


def _use_day(merchant: Merchant, code: TillCode, now: datetime) -> str:
    return _today(merchant, now).isoformat() if code.kind == "printed" else ""


def _shop(tx: Tx, code: TillCode) -> Shop | None:
    if code.radius_m is None:
        return None
    shops = list_shops(tx, code.merchant_id)
    return next((shop for shop in shops if shop.id == code.shop_id), None)


def _today(merchant: Merchant, now: datetime) -> date:
    return business_day(now, _zone(merchant), merchant.day_starts_at)


def _zone(merchant: Merchant) -> ZoneInfo:
    return ZoneInfo(merchant.timezone)
