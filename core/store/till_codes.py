"""Till codes: single use, found by their letters or by their six digits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select

from core.database import Tx
from core.rules.types import (
    CardId,
    CustomerId,
    EntryId,
    MerchantId,
    ProgramId,
    ShopId,
    StaffId,
    TillCode,
)
from core.store.tables import code_use, till_code

# Built once: to build a statement costs more than to run it.
_FIND_BY = {
    column.name: select(till_code)
    .where(
        till_code.c.merchant_id == bindparam("of_merchant"),
        column == bindparam("of_text"),
    )
    .order_by(till_code.c.created_at.desc())
    .limit(1)
    for column in (till_code.c.code, till_code.c.digits)
}
_LOCK_BY = {name: find.with_for_update() for name, find in _FIND_BY.items()}
_CHANGE = till_code.update().where(
    till_code.c.merchant_id == bindparam("of_merchant"),
    till_code.c.code == bindparam("of_code"),
)


def add_till_code(tx: Tx, code: TillCode, now: datetime) -> None:
    """Keep a fresh code."""
    tx.execute(
        till_code.insert().values(
            merchant_id=code.merchant_id,
            code=code.code,
            digits=code.digits,
            program_id=code.program_id,
            shop_id=code.shop_id,
            staff_id=code.staff_id,
            stamps=code.stamps,
            created_at=now,
            expires_at=code.expires_at,
            kind=code.kind,
            radius_m=code.radius_m,
            batch_id=code.batch_id,
        )
    )
    tx.signal(f"tills:{code.merchant_id}")


def find_till_code(
    tx: Tx, merchant_id: MerchantId, text: str, *, lock: bool = False
) -> TillCode | None:
    """The newest code of this merchant with these letters or digits, or None."""
    statement = (_LOCK_BY if lock else _FIND_BY)[
        "digits" if is_digits(text) else "code"
    ]
    row = tx.execute(statement, {"of_merchant": merchant_id, "of_text": text}).first()
    return None if row is None else _till_code(row)


def is_of_another_merchant(tx: Tx, merchant_id: MerchantId, code: str) -> bool:
    """Do these eight letters belong to another merchant's till?"""
    statement = select(till_code.c.code).where(
        till_code.c.code == code, till_code.c.merchant_id != merchant_id
    )
    return tx.execute(statement.limit(1)).first() is not None


def waiting_digits(tx: Tx, merchant_id: MerchantId, now: datetime) -> set[str]:
    """The six-digit codes that could be claimed at this moment."""
    rows = tx.execute(
        select(till_code.c.digits).where(
            till_code.c.merchant_id == merchant_id,
            till_code.c.claimed_at.is_(None),
            till_code.c.expires_at > now,
        )
    )
    return {row.digits for row in rows}


def waiting_codes(tx: Tx, merchant_id: MerchantId, now: datetime) -> list[TillCode]:
    """The codes that could be claimed at this moment, newest first."""
    rows = tx.execute(
        select(till_code)
        .where(
            till_code.c.merchant_id == merchant_id,
            till_code.c.claimed_at.is_(None),
            till_code.c.expires_at > now,
        )
        .order_by(till_code.c.created_at.desc())
    )
    return [_till_code(row) for row in rows]


def window_code(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    shop_id: ShopId,
    stamps: int,
    started_at: datetime,
) -> TillCode | None:
    """The code of the window that began at `started_at` at this shop, or None."""
    row = tx.execute(
        select(till_code).where(
            till_code.c.merchant_id == merchant_id,
            till_code.c.claimed_at.is_(None),
            till_code.c.expires_at > started_at,
            till_code.c.kind == "window",
            till_code.c.created_at == started_at,
            till_code.c.program_id == program_id,
            till_code.c.shop_id == shop_id,
            till_code.c.stamps == stamps,
        )
    ).first()
    return None if row is None else _till_code(row)


def window_uses(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    shop_id: ShopId,
    since: datetime,
    limit: int,
) -> list[EntryId]:
    """The grants by this shop's windows of a program since then, newest first."""
    rows = tx.execute(
        select(code_use.c.entry_id)
        .join(
            till_code,
            (till_code.c.merchant_id == code_use.c.merchant_id)
            & (till_code.c.code == code_use.c.code),
        )
        .where(
            till_code.c.merchant_id == merchant_id,
            till_code.c.claimed_at.is_(None),
            # Who used a code did so before it ended.
            till_code.c.expires_at > since,
            till_code.c.kind == "window",
            till_code.c.program_id == program_id,
            till_code.c.shop_id == shop_id,
            code_use.c.at > since,
        )
        .order_by(code_use.c.at.desc(), code_use.c.entry_id.desc())
        .limit(limit)
    )
    return [EntryId(row.entry_id) for row in rows]


def printed_codes(tx: Tx, merchant_id: MerchantId) -> list[TillCode]:
    """The printed codes that are not revoked, newest first."""
    rows = tx.execute(
        select(till_code)
        .where(
            till_code.c.merchant_id == merchant_id,
            till_code.c.kind == "printed",
            till_code.c.expires_at.is_(None),
        )
        .order_by(till_code.c.created_at.desc(), till_code.c.code)
    )
    return [_till_code(row) for row in rows]


def codes_of_batch(tx: Tx, merchant_id: MerchantId, batch_id: str) -> list[TillCode]:
    """A batch's receipt codes, in the order of their letters."""
    rows = tx.execute(
        select(till_code)
        .where(till_code.c.merchant_id == merchant_id, till_code.c.batch_id == batch_id)
        .order_by(till_code.c.code)
    )
    return [_till_code(row) for row in rows]


def was_used(tx: Tx, code: TillCode, customer_id: CustomerId, day: str) -> bool:
    """Has this customer used this code of many on this day ("": ever)?"""
    statement = select(code_use.c.code).where(
        code_use.c.merchant_id == code.merchant_id,
        code_use.c.code == code.code,
        code_use.c.customer_id == customer_id,
        code_use.c.day == day,
    )
    return tx.execute(statement).first() is not None


def note_use(
    tx: Tx,
    code: TillCode,
    customer_id: CustomerId,
    day: str,
    entry_id: EntryId,
    now: datetime,
) -> None:
    """This customer has used a code of many; the key forbids a second time."""
    row = {
        "merchant_id": code.merchant_id,
        "code": code.code,
        "customer_id": customer_id,
        "day": day,
        "entry_id": entry_id,
        "at": now,
    }
    tx.execute(code_use.insert().values(row))
    tx.signal(f"till:{code.code}")
    tx.signal(f"tills:{code.merchant_id}")


def claim_till_code(
    tx: Tx, code: TillCode, card_id: CardId, entry_id: EntryId, now: datetime
) -> None:
    """Mark a (locked) code as used by this card."""
    _update(tx, code, claimed_at=now, claimed_by=card_id, entry_id=entry_id)


def end_till_code(tx: Tx, code: TillCode, now: datetime) -> None:
    """Let an unclaimed code expire now."""
    _update(tx, code, expires_at=now)


def drop_unclaimed_codes(tx: Tx, before: datetime, limit: int) -> int:
    """Forget up to `limit` till codes that ended before then and that nobody claimed,
    and who used a window of theirs; how many codes. Printed and receipt codes stay.
    """
    key = (till_code.c.merchant_id, till_code.c.code)
    old = tx.execute(
        select(*key)
        .where(
            till_code.c.claimed_at.is_(None),
            till_code.c.kind.in_(("single", "window")),
            till_code.c.expires_at < before,
        )
        .limit(limit)
    ).all()
    for row in old:
        for table in (code_use, till_code):
            mine = (table.c.merchant_id == row.merchant_id) & (table.c.code == row.code)
            tx.execute(table.delete().where(mine))
    return len(old)


def _update(tx: Tx, code: TillCode, **values: Any) -> None:
    mine = {"of_merchant": code.merchant_id, "of_code": code.code}
    tx.execute(_CHANGE, {**values, **mine})
    tx.signal(f"till:{code.code}")
    tx.signal(f"tills:{code.merchant_id}")


def is_digits(text: str) -> bool:
    """Is this a six-digit twin, not the letters of a code?"""
    return len(text) == 6 and text.isdecimal()  # noqa: PLR2004 -- the six-digit twin


def _till_code(row: Row[Any]) -> TillCode:
    return TillCode(
        code=row.code,
        digits=row.digits,
        merchant_id=MerchantId(row.merchant_id),
        program_id=ProgramId(row.program_id),
        shop_id=ShopId(row.shop_id),
        staff_id=None if row.staff_id is None else StaffId(row.staff_id),
        stamps=row.stamps,
        expires_at=row.expires_at,
        claimed_at=row.claimed_at,
        claimed_by=None if row.claimed_by is None else CardId(row.claimed_by),
        entry_id=None if row.entry_id is None else EntryId(row.entry_id),
        kind=row.kind,
        radius_m=row.radius_m,
        batch_id=row.batch_id,
    )
