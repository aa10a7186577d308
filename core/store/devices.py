"""The devices that stand in shops as tills: their links, their sign-ins, their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from core.database import Tx
from core.ids import new_id
from core.rules.types import MerchantId, ShopId, StaffId
from core.store.tables import device, session


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A till as people may see it; of its link and its sign-in only hashes are kept.

    `link_until`: to when a link waits to be opened. `is_set_up`: does a browser hold
    its sign-in now?
    """

    id: str
    merchant_id: MerchantId
    name: str
    shop_id: ShopId
    link_until: datetime | None
    made_at: datetime
    is_set_up: bool
    set_up_at: datetime | None
    seen_at: datetime | None
    revoked_at: datetime | None


def add_device(
    tx: Tx,
    merchant_id: MerchantId,
    name: str,
    shop_id: ShopId,
    made_by: StaffId,
    now: datetime,
) -> str:
    """Keep a fresh device without a link; its id."""
    device_id = new_id(now)
    row = {
        "merchant_id": merchant_id,
        "id": device_id,
        "name": name,
        "shop_id": shop_id,
        "made_by": made_by,
        "made_at": now,
    }
    tx.execute(device.insert().values(row))
    return device_id


def list_devices(tx: Tx, merchant_id: MerchantId) -> list[Device]:
    """The merchant's devices that are not revoked, oldest first."""
    rows = tx.execute(
        select(device)
        .where(device.c.merchant_id == merchant_id, device.c.revoked_at.is_(None))
        .order_by(device.c.made_at, device.c.id)
    )
    return [_device(row) for row in rows]


def find_device(
    tx: Tx, merchant_id: MerchantId, device_id: str, *, lock: bool = False
) -> Device | None:
    """One device that is not revoked; `lock` it before changing it."""
    statement = select(device).where(
        _mine(merchant_id, device_id), device.c.revoked_at.is_(None)
    )
    return _first(tx.execute(statement.with_for_update() if lock else statement))


def was_device(tx: Tx, merchant_id: MerchantId, device_id: str) -> bool:
    """Is or was this a device of the merchant?"""
    statement = select(device.c.id).where(_mine(merchant_id, device_id))
    return tx.execute(statement).first() is not None


def device_of_link(
    tx: Tx, link_hash: str, now: datetime, *, lock: bool = False
) -> Device | None:
    """The device whose link this is, while it may be opened."""
    statement = select(device).where(
        device.c.link_hash == link_hash,
        device.c.link_until > now,
        device.c.revoked_at.is_(None),
    )
    return _first(tx.execute(statement.with_for_update() if lock else statement))


def device_of_token(tx: Tx, token_hash: str) -> Device | None:
    """The device that holds this sign-in, unless it was revoked."""
    return _first(
        tx.execute(
            select(device).where(
                device.c.token_hash == token_hash, device.c.revoked_at.is_(None)
            )
        )
    )


def update_device(
    tx: Tx, merchant_id: MerchantId, device_id: str, **values: Any
) -> None:
    """Change columns of one device."""
    tx.execute(device.update().where(_mine(merchant_id, device_id)).values(values))


def drop_device_sessions(tx: Tx, merchant_id: MerchantId, device_id: str) -> int:
    """End every shift on this device; how many."""
    mine = (session.c.merchant_id == merchant_id) & (session.c.device_id == device_id)
    return tx.execute(session.delete().where(mine)).rowcount


def was_till_seen(
    tx: Tx, merchant_id: MerchantId, since: datetime, now: datetime
) -> bool:
    """Was some till with somebody signed in seen after then?

    A device on which nobody is on shift does not count: nobody could confirm there.
    """
    statement = select(session.c.token_hash).where(
        session.c.merchant_id == merchant_id,
        session.c.kind == "till",
        session.c.seen_at > since,
        session.c.ends_at > now,
    )
    return tx.execute(statement.limit(1)).first() is not None


def _mine(merchant_id: MerchantId, device_id: str) -> Any:
    return (device.c.merchant_id == merchant_id) & (device.c.id == device_id)


def _first(found: Any) -> Device | None:
    row = found.first()
    return None if row is None else _device(row)


def _device(row: Row[Any]) -> Device:
    return Device(
        id=row.id,
        merchant_id=MerchantId(row.merchant_id),
        name=row.name,
        shop_id=ShopId(row.shop_id),
        link_until=row.link_until,
        made_at=row.made_at,
        is_set_up=row.token_hash is not None,
        set_up_at=row.set_up_at,
        seen_at=row.seen_at,
        revoked_at=row.revoked_at,
    )
