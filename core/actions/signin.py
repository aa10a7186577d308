"""Signing in and staying signed in. Callers check passwords, in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row

from core.database import Tx
from core.errors import NotFound
from core.rules.types import (
    Language,
    Merchant,
    MerchantId,
    ShopId,
    Staff,
)
from core.store import staff as store
from core.store.journal import note
from core.store.merchants import list_shops, load_merchant
from core.store.staff import merchant_id_of_key
from core.vault import new_token

SessionKind = Literal["settings", "till"]

# A till stays signed in over midnight and over a closed week; a settings page does not.
# On a device that holds for the device, which no clock ever signs out. Its shift is a
# person, and ends by nobody being there: a page that is open counts as somebody, so no
# shift ends at midnight or at the cut of the business day, in the middle of work; but
# who went home last night does not sign this morning's stamps.
IDLE: dict[SessionKind, timedelta] = {
    "settings": timedelta(hours=8),
    "till": timedelta(days=30),
}
LONGEST: dict[SessionKind, timedelta] = {
    "settings": timedelta(days=7),
    "till": timedelta(days=365),
}
SHIFT_IDLE = timedelta(hours=6)
FREE_FAILURES = 5
LONGEST_LOCK = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login to check a password against."""

    staff: Staff
    password_hash: str
    locked_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser. `csrf` goes into every form.

    `device_id`: the shop's device whose shift this is; None in other browsers.
    """

    token_hash: str
    staff: Staff
    merchant: Merchant
    csrf: str
    shop_id: ShopId | None
    language: Language
    kind: SessionKind
    device_id: str | None = None


def logins(tx: Tx, email: str) -> list[Login]:
    """The logins with this address, one for each merchant where they have not left."""
    return [
        Login(
            staff=store.staff_of(row),
            password_hash=row.password_hash,
            locked_until=row.locked_until,
        )
        for row in store.staff_rows(tx, email)
    ]


def note_failed_login(tx: Tx, staff: Staff, now: datetime) -> None:
    """A wrong password: after five, each further one locks twice as long (≤ 15 min)."""
    row = store.find_staff(tx, staff.merchant_id, staff.email)
    if row is None:
        return
    failures = row.failures + 1
    over = failures - FREE_FAILURES
    lock = (
        min(timedelta(seconds=2 ** min(over, 12)), LONGEST_LOCK) if over >= 0 else None
    )
    store.update_staff(
        tx,
        staff.merchant_id,
        staff.id,
        failures=failures,
        locked_until=lock and now + lock,
    )
    note(tx, staff.merchant_id, f"staff:{staff.id}", "signin.failed", staff.id, now)


def start_session(
    tx: Tx,
    staff: Staff,
    token_hash: str,
    kind: SessionKind,
    language: Language,
    now: datetime,
) -> Session:
    """The password was right: begin a session under the hash of a fresh token."""
    shops = list_shops(tx, staff.merchant_id)
    store.update_staff(tx, staff.merchant_id, staff.id, failures=0, locked_until=None)
    store.add_session(
        tx,
        {
            "token_hash": token_hash,
            "merchant_id": staff.merchant_id,
            "staff_id": staff.id,
            "csrf": new_token(24),
            "shop_id": shops[0].id if len(shops) == 1 else None,
            "language": language,
            "kind": kind,
            "started_at": now,
            "seen_at": now,
            "ends_at": now + LONGEST[kind],
        },
    )
    note(tx, staff.merchant_id, f"staff:{staff.id}", "signin.done", staff.id, now)
    session = load_session(tx, token_hash, now)
    assert session is not None
    return session


def load_session(tx: Tx, token_hash: str, now: datetime) -> Session | None:
    """The session behind a token's hash, unless it is over or was idle too long.

    It is over too for who has left, and on a device that was revoked.
    """
    row = store.session_row(tx, token_hash)
    if row is None or not _lives(row, now):
        return None
    return Session(
        token_hash=token_hash,
        staff=store.staff_of(row),
        merchant=load_merchant(tx, MerchantId(row.merchant_id)),
        csrf=row.csrf,
        shop_id=None if row.shop_id is None else ShopId(row.shop_id),
        language=row.language,
        kind=row.kind,
        device_id=row.device_id,
    )


def needs_touch(tx: Tx, token_hash: str, now: datetime) -> bool:
    """Was the session last noted as used more than a minute ago?"""
    row = store.session_row(tx, token_hash)
    return row is not None and now - row.seen_at > timedelta(minutes=1)


def end_session(tx: Tx, token_hash: str) -> None:
    """Sign out."""
    store.drop_session(tx, token_hash)


def choose_shop(tx: Tx, session: Session, shop_id: ShopId) -> None:
    """The shop in which this browser stands. Raises `NotFound("shop")`."""
    if all(shop.id != shop_id for shop in list_shops(tx, session.merchant.id)):
        raise NotFound("shop")
    store.update_session(tx, session.token_hash, shop_id=shop_id)


def choose_language(tx: Tx, session: Session, language: Language) -> None:
    """The language of this browser's pages."""
    store.update_session(tx, session.token_hash, language=language)


def merchant_of_key(tx: Tx, key_hash: str) -> Merchant | None:
    """Whose API key this is, unless it was revoked."""
    merchant_id = merchant_id_of_key(tx, key_hash)
    return None if merchant_id is None else load_merchant(tx, merchant_id)


def _lives(row: Row[Any], now: datetime) -> bool:
    if row.left_at is not None or row.revoked_at is not None:
        return False
    idle = IDLE["till" if row.kind == "till" else "settings"]
    if row.device_id is not None:
        idle = SHIFT_IDLE
    return bool(row.ends_at > now and row.seen_at + idle > now)
