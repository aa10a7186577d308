"""Receipt codes: made in batches, printed on slips, each good once for anybody."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.actions.history import actor_of
from core.actions.once import check_question
from core.actions.till import new_code, place_code
from core.database import Tx
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.rules.days import end_of
from core.rules.types import MerchantId, Staff, TillCode
from core.store.answers import first_answer, keep_answer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.receipts import (
    ReceiptBatch,
    add_batch,
    end_batch,
    list_batches,
)
from core.store.receipts import load_batch as stored_batch
from core.store.till_codes import codes_of_batch

MAX_CODES = 1000
MAX_NAME = 60
MAX_YEARS = 10


def make_receipts(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    shop_key: str,
    program_key: str,
    stamps: int,
    count: int,
    name: str,
    until: date | None,
    by: Staff | None,
    key: str,
    now: datetime,
) -> ReceiptBatch:
    """`count` (1 to 1000) codes, good to the end of business day `until` (None: for
    ever); the same `key` gets the same batch again.

    Raises `NotFound` for the shop or program, `Invalid` for "stamps", "count", "name"
    and "until", and for a "key" that asked for something else before.
    """
    asked = [shop_key, program_key, stamps, count, name, until and until.isoformat()]
    first = first_answer(tx, merchant_id, key, now)
    if first is not None:
        check_question(first, asked)
        return load_batch(tx, merchant_id, first["batch"])
    shop_id, program_id = place_code(tx, merchant_id, shop_key, program_key, stamps)
    name, ends_at = _checked(tx, merchant_id, name, count, until, now)
    batch = ReceiptBatch(
        id=new_id(now),
        merchant_id=merchant_id,
        name=name,
        program_id=program_id,
        shop_id=shop_id,
        stamps=stamps,
        n_codes=count,
        n_used=0,
        expires_at=ends_at,
        made_at=now,
        revoked_at=None,
    )
    add_batch(tx, batch, _codes(batch), now)
    keep_answer(tx, merchant_id, key, {"asked": asked, "batch": batch.id})
    actor = actor_of(by.id if by else None)
    note(tx, merchant_id, actor, "receipts.made", batch.id, now, count=count)
    return batch


def load_batch(tx: Tx, merchant_id: MerchantId, batch_id: str) -> ReceiptBatch:
    """One batch. Raises `NotFound("batch")`."""
    batch = stored_batch(tx, merchant_id, batch_id)
    if batch is None:
        raise NotFound("batch")
    return batch


def receipt_codes(tx: Tx, merchant_id: MerchantId, batch_id: str) -> list[TillCode]:
    """The codes of one batch, to print. Raises `NotFound("batch")`."""
    load_batch(tx, merchant_id, batch_id)
    return codes_of_batch(tx, merchant_id, batch_id)


def revoke_receipts(
    tx: Tx, merchant_id: MerchantId, batch_id: str, by: Staff | None, now: datetime
) -> ReceiptBatch:
    """What is not used of a batch is worth nothing from now on; used ones stay."""
    batch = load_batch(tx, merchant_id, batch_id)
    if batch.revoked_at is None:
        end_batch(tx, batch, now)
        actor = actor_of(by.id if by else None)
        note(tx, merchant_id, actor, "receipts.revoked", batch.id, now)
    return load_batch(tx, merchant_id, batch_id)


def _checked(
    tx: Tx,
    merchant_id: MerchantId,
    name: str,
    count: int,
    until: date | None,
    now: datetime,
) -> tuple[str, datetime | None]:
    """The name and when the codes end; every problem is told at once."""
    problems: dict[str, tuple[str, dict[str, object]]] = {}
    if not 1 <= count <= MAX_CODES:
        problems["count"] = ("invalid.number", {"min": 1, "max": MAX_CODES})
    name = name.strip()
    if len(name) > MAX_NAME:
        problems["name"] = ("invalid.long", {"max": MAX_NAME})
    elif any(ord(letter) < ord(" ") for letter in name):
        problems["name"] = ("invalid.control", {})
    end, is_far = None, False
    if until is not None:
        is_far = until > (now + timedelta(days=365 * MAX_YEARS)).date()
        # No zone's day is further from ours; dates of the year 1 have no instant.
        is_old = until < (now - timedelta(days=2)).date()
        end = now if is_far or is_old else _end(tx, merchant_id, until)
    if is_far:
        problems["until"] = ("invalid.until", {"max": MAX_YEARS})
    elif end is not None and end <= now:
        problems["until"] = ("invalid.past", {})
    if problems:
        raise Invalid(problems)
    return name, end


def _end(tx: Tx, merchant_id: MerchantId, until: date) -> datetime:
    merchant = load_merchant(tx, merchant_id)
    return end_of(until, ZoneInfo(merchant.timezone), merchant.day_starts_at)


def _codes(batch: ReceiptBatch) -> list[TillCode]:
    codes: set[str] = set()
    while len(codes) < batch.n_codes:
        codes.add(new_code())
    return [
        TillCode(
            code=code,
            digits="",
            merchant_id=batch.merchant_id,
            program_id=batch.program_id,
            shop_id=batch.shop_id,
            staff_id=None,
            stamps=batch.stamps,
            expires_at=batch.expires_at,
            kind="receipt",
            batch_id=batch.id,
        )
        for code in sorted(codes)
    ]


__all__ = [
    "ReceiptBatch",
    "list_batches",
    "load_batch",
    "make_receipts",
    "receipt_codes",
    "revoke_receipts",
]
