"""Merchants, their shops, and their channels to LINE, Apple and Google."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select

from core.database import Tx
from core.errors import NotFound
from core.ids import new_id
from core.rules.types import (
    Merchant,
    MerchantId,
    Shop,
    ShopId,
)
from core.store.tables import (
    apple_credentials,
    google_credentials,
    line_channel,
    merchant,
    shop,
)
from core.store.upsert import put

# Built once: to build a statement costs more than to run it.
_LOAD = select(merchant).where(merchant.c.id == bindparam("of_merchant"))
_FIND = select(merchant).where(merchant.c.key == bindparam("of_key"))
_SHOPS = (
    select(shop)
    .where(shop.c.merchant_id == bindparam("of_merchant"))
    .order_by(shop.c.position, shop.c.key)
)


def load_merchant(tx: Tx, merchant_id: MerchantId) -> Merchant:
    """The merchant with this id; `NotFound` otherwise."""
    row = tx.execute(_LOAD, {"of_merchant": merchant_id}).first()
    if row is None:
        raise NotFound("merchant")
    return _merchant(row)


def lock_merchant(tx: Tx, merchant_id: MerchantId) -> None:
    """Until the end of the transaction nobody else gets this lock.

    It is weaker than FOR UPDATE: rows that point to the merchant may still be made.
    """
    mine = select(merchant.c.id).where(merchant.c.id == merchant_id)
    tx.execute(mine.with_for_update(key_share=True))


def find_merchant(tx: Tx, key: str) -> Merchant | None:
    """The merchant with this key, or None."""
    row = tx.execute(_FIND, {"of_key": key}).first()
    return None if row is None else _merchant(row)


def list_merchants(tx: Tx) -> list[Merchant]:
    """All merchants by key."""
    return [_merchant(r) for r in tx.execute(select(merchant).order_by(merchant.c.key))]


def put_merchant(tx: Tx, values: dict[str, Any], now: datetime) -> MerchantId:
    """Create or update the merchant with `values["key"]`; its id."""
    known = find_merchant(tx, values["key"])
    if known is None:
        row = {"id": new_id(now), "created_at": now, **values}
        tx.execute(merchant.insert().values(row))
        return MerchantId(row["id"])
    tx.execute(merchant.update().where(merchant.c.id == known.id).values(values))
    return known.id


def set_phone_pin(tx: Tx, merchant_id: MerchantId, is_on: bool) -> None:
    """May staff confirm a reward by their PIN on the customer's phone?"""
    mine = merchant.c.id == merchant_id
    tx.execute(merchant.update().where(mine).values(phone_pin=is_on))


def list_shops(tx: Tx, merchant_id: MerchantId) -> list[Shop]:
    """The merchant's shops in their own order."""
    rows = tx.execute(_SHOPS, {"of_merchant": merchant_id})
    return [
        Shop(
            id=ShopId(r.id),
            key=r.key,
            name=r.name,
            latitude=r.latitude,
            longitude=r.longitude,
        )
        for r in rows
    ]


def lock_shop(tx: Tx, merchant_id: MerchantId, shop_id: ShopId) -> None:
    """Keep others from making this shop's codes until the end of the transaction."""
    tx.execute(
        select(shop.c.id)
        .where(shop.c.merchant_id == merchant_id, shop.c.id == shop_id)
        .with_for_update()
    )


def put_shop(
    tx: Tx, merchant_id: MerchantId, values: dict[str, Any], now: datetime
) -> None:
    """Create or update the shop with `values["key"]`."""
    tx.execute(
        select(merchant.c.id).where(merchant.c.id == merchant_id).with_for_update()
    )
    same = (shop.c.merchant_id == merchant_id) & (shop.c.key == values["key"])
    if tx.execute(shop.update().where(same).values(values)).rowcount == 0:
        row = {"merchant_id": merchant_id, "id": new_id(now), **values}
        tx.execute(shop.insert().values(row))


def put_channel(
    tx: Tx, merchant_id: MerchantId, kind: str, values: dict[str, Any], now: datetime
) -> None:
    """Create or replace the merchant's "line", "apple" or "google" connection."""
    row = {"merchant_id": merchant_id, **values, "updated_at": now}
    put(tx, _CHANNELS[kind], row, "merchant_id")


def load_channel(tx: Tx, merchant_id: MerchantId, kind: str) -> Row[Any] | None:
    """The row of the merchant's "line", "apple" or "google" connection, or None."""
    return tx.execute(_LOAD_CHANNEL[kind], {"of_merchant": merchant_id}).first()


def update_line(tx: Tx, merchant_id: MerchantId, **values: Any) -> None:
    """Change columns of the merchant's LINE channel."""
    mine = line_channel.c.merchant_id == merchant_id
    tx.execute(line_channel.update().where(mine).values(values))


def drop_previous_secrets(tx: Tx, lives: timedelta, now: datetime) -> int:
    """Forget the LINE secrets whose end has come; how many.

    One that was kept before there were ends gets one: `lives` from now.
    """
    secret, until = line_channel.c.sealed_previous_secret, line_channel.c.previous_until
    endless = secret.is_not(None) & until.is_(None)
    tx.execute(line_channel.update().where(endless).values(previous_until=now + lives))
    over = line_channel.update().where(until <= now)
    gone = over.values(sealed_previous_secret=None, previous_until=None)
    return tx.execute(gone).rowcount


def merchants_on_line(tx: Tx, channel_id: str) -> list[MerchantId]:
    """Who has this LINE channel."""
    table = line_channel
    rows = tx.execute(
        select(table.c.merchant_id).where(table.c.channel_id == channel_id)
    )
    return [MerchantId(r.merchant_id) for r in rows]


def merchants_with_pass_type(tx: Tx, pass_type_id: str) -> list[MerchantId]:
    """Who signs passes of this type."""
    table = apple_credentials
    rows = tx.execute(
        select(table.c.merchant_id).where(table.c.pass_type_id == pass_type_id)
    )
    return [MerchantId(r.merchant_id) for r in rows]


def merchants_without_basic_id(tx: Tx) -> list[MerchantId]:
    """Whose LINE channel does not know its own account yet."""
    table = line_channel
    rows = tx.execute(select(table.c.merchant_id).where(table.c.basic_id == ""))
    return [MerchantId(r.merchant_id) for r in rows]


def _merchant(row: Row[Any]) -> Merchant:
    return Merchant(
        id=MerchantId(row.id),
        key=row.key,
        name=row.name,
        timezone=row.timezone,
        day_starts_at=row.day_starts_at,
        contact=row.contact,
        languages=tuple(row.languages),
        has_hooks=row.has_hooks,
        phone_pin=row.phone_pin,
    )


_CHANNELS = {
    "line": line_channel,
    "apple": apple_credentials,
    "google": google_credentials,
}
_LOAD_CHANNEL = {
    kind: select(table).where(table.c.merchant_id == bindparam("of_merchant"))
    for kind, table in _CHANNELS.items()
}
