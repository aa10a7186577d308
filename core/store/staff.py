"""Staff logins, their sessions, and the API keys of machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from core.database import Tx
from core.ids import new_id
from core.rules.types import MerchantId, Staff, StaffId
from core.store.tables import api_key, device, merchant, session, staff
from core.store.upsert import put_if_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of the team as its list shows them; `left_at` for who is gone."""

    staff: Staff
    has_pin: bool
    left_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A machine's key as people may see it: its value is known to nobody."""

    id: str
    name: str
    created_at: datetime


def staff_rows(tx: Tx, email: str) -> list[Row[Any]]:
    """The staff rows with this address, one a merchant, without those who left."""
    statement = select(staff).where(
        staff.c.email == email.strip().lower(), staff.c.left_at.is_(None)
    )
    return list(tx.execute(statement.order_by(staff.c.created_at)).all())


def find_staff(tx: Tx, merchant_id: MerchantId, email: str) -> Row[Any] | None:
    """The merchant's staff row with this address, or None."""
    return tx.execute(
        select(staff).where(
            staff.c.merchant_id == merchant_id, staff.c.email == email.strip().lower()
        )
    ).first()


def find_by_name(tx: Tx, merchant_id: MerchantId, name: str) -> Row[Any] | None:
    """Who has no address and this name, or had; None where nobody has."""
    return tx.execute(
        select(staff)
        .where(
            staff.c.merchant_id == merchant_id,
            staff.c.email.is_(None),
            staff.c.name == name,
        )
        # Two of one name: one of them left before the other came.
        .order_by(staff.c.left_at.is_not(None), staff.c.created_at.desc())
        .limit(1)
    ).first()


def list_team(tx: Tx, merchant_id: MerchantId) -> list[Member]:
    """Everybody who is or was on the team, in the order of their coming."""
    rows = tx.execute(
        select(staff)
        .where(staff.c.merchant_id == merchant_id)
        .order_by(staff.c.created_at, staff.c.id)
    )
    return [
        Member(
            staff=staff_of(row), has_pin=row.pin_mac is not None, left_at=row.left_at
        )
        for row in rows
    ]


def add_by_name(
    tx: Tx, merchant_id: MerchantId, name: str, values: dict[str, Any], now: datetime
) -> StaffId:
    """Add somebody without an address; their id."""
    # No password opens this: it is no hash at all.
    row = {"id": new_id(now), "created_at": now, "password_hash": "-", **values}
    tx.execute(staff.insert().values(merchant_id=merchant_id, name=name, **row))
    return StaffId(row["id"])


def staff_with_pin(tx: Tx, merchant_id: MerchantId, pin_mac: str) -> Staff | None:
    """The one member of staff with this PIN who has not left, or None."""
    row = tx.execute(
        select(staff).where(
            staff.c.merchant_id == merchant_id,
            staff.c.pin_mac == pin_mac,
            staff.c.left_at.is_(None),
        )
    ).first()
    return None if row is None else staff_of(row)


def put_staff(
    tx: Tx, merchant_id: MerchantId, email: str, values: dict[str, Any], now: datetime
) -> None:
    """Create or update a login."""
    known = find_staff(tx, merchant_id, email)
    if known is None:
        row = {"id": new_id(now), "email": email.strip().lower(), "created_at": now}
        tx.execute(staff.insert().values(merchant_id=merchant_id, **row, **values))
    else:
        update_staff(tx, merchant_id, StaffId(known.id), **values)


def update_staff(
    tx: Tx, merchant_id: MerchantId, staff_id: StaffId, **values: Any
) -> None:
    """Change columns of one login."""
    mine = (staff.c.merchant_id == merchant_id) & (staff.c.id == staff_id)
    tx.execute(staff.update().where(mine).values(values))


def add_session(tx: Tx, row: dict[str, Any]) -> None:
    """Keep a fresh session."""
    tx.execute(session.insert().values(row))


def session_row(tx: Tx, token_hash: str) -> Row[Any] | None:
    """The session with its staff member's columns and its device's end, or None."""
    of_staff = (staff.c.merchant_id == session.c.merchant_id) & (
        staff.c.id == session.c.staff_id
    )
    of_device = (device.c.merchant_id == session.c.merchant_id) & (
        device.c.id == session.c.device_id
    )
    return tx.execute(
        select(
            session,
            staff.c.email,
            staff.c.name,
            staff.c.role,
            staff.c.left_at,
            device.c.revoked_at,
        )
        .join(staff, of_staff)
        .outerjoin(device, of_device)
        .where(session.c.token_hash == token_hash)
    ).first()


def update_session(tx: Tx, token_hash: str, **values: Any) -> None:
    """Change columns of one session."""
    tx.execute(
        session.update().where(session.c.token_hash == token_hash).values(values)
    )


def drop_session(tx: Tx, token_hash: str) -> None:
    """End a session for good."""
    tx.execute(session.delete().where(session.c.token_hash == token_hash))


def drop_staff_sessions(
    tx: Tx, merchant_id: MerchantId, staff_id: StaffId, *, on_devices: bool = False
) -> int:
    """Sign somebody out everywhere, or on the shops' devices; of how many browsers."""
    mine = (session.c.merchant_id == merchant_id) & (session.c.staff_id == staff_id)
    if on_devices:
        mine &= session.c.device_id.is_not(None)
    return tx.execute(session.delete().where(mine)).rowcount


def drop_sessions_before(tx: Tx, before: datetime) -> int:
    """Forget sessions that ended before then; how many."""
    return tx.execute(session.delete().where(session.c.ends_at < before)).rowcount


def add_api_key(
    tx: Tx, merchant_id: MerchantId, name: str, key_hash: str, now: datetime
) -> bool:
    """Keep a fresh API key's hash; False when there is one of this name."""
    row = {
        "merchant_id": merchant_id,
        "id": new_id(now),
        "name": name,
        "key_hash": key_hash,
        "created_at": now,
    }
    return put_if_new(tx, api_key, row, "merchant_id", "name")


def renew_api_key(
    tx: Tx, merchant_id: MerchantId, name: str, key_hash: str, now: datetime
) -> bool:
    """Put a fresh key in the place of a revoked one; False where there is none."""
    over = (
        (api_key.c.merchant_id == merchant_id)
        & (api_key.c.name == name)
        & api_key.c.revoked_at.is_not(None)
    )
    # A new id too: a page that still shows the old key must not revoke this one.
    row = {
        "id": new_id(now),
        "key_hash": key_hash,
        "created_at": now,
        "revoked_at": None,
    }
    return tx.execute(api_key.update().where(over).values(row)).rowcount == 1


def revoke_api_key(
    tx: Tx, merchant_id: MerchantId, key_id: str, now: datetime
) -> str | None:
    """End a key for good; its name, or None where no such key is good."""
    good = (
        (api_key.c.merchant_id == merchant_id)
        & (api_key.c.id == key_id)
        & api_key.c.revoked_at.is_(None)
    )
    ended = api_key.update().where(good).values(revoked_at=now)
    return tx.execute(ended.returning(api_key.c.name)).scalar_one_or_none()


def list_api_keys(tx: Tx, merchant_id: MerchantId) -> list[ApiKey]:
    """The merchant's keys that are good, by name."""
    rows = tx.execute(
        select(api_key)
        .where(api_key.c.merchant_id == merchant_id, api_key.c.revoked_at.is_(None))
        .order_by(api_key.c.name)
    )
    return [ApiKey(id=r.id, name=r.name, created_at=r.created_at) for r in rows]


def merchant_id_of_key(tx: Tx, key_hash: str) -> MerchantId | None:
    """Whose key this is, unless it was revoked."""
    row = tx.execute(
        select(api_key.c.merchant_id)
        .join(merchant, merchant.c.id == api_key.c.merchant_id)
        .where(api_key.c.key_hash == key_hash, api_key.c.revoked_at.is_(None))
    ).first()
    return None if row is None else MerchantId(row.merchant_id)


def staff_of(row: Row[Any]) -> Staff:
    """The login of a staff or session row."""
    columns = row._mapping
    return Staff(
        id=StaffId(columns.get("staff_id") or columns["id"]),
        merchant_id=MerchantId(row.merchant_id),
        email=row.email or "",
        name=row.name,
        role=row.role,
    )
