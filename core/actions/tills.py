"""The shops' devices as tills: made ready by a link, opened by a PIN, ended at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.actions.pins import PinRefused, check_pin
from core.actions.signin import LONGEST, Session, load_session
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.types import Language, MerchantId, ShopId, Staff
from core.store import devices as store
from core.store.devices import (
    Device,
    device_of_link,
    device_of_token,
    find_device,
    list_devices,
)
from core.store.journal import note
from core.store.merchants import list_shops, lock_merchant
from core.store.staff import add_session, drop_session, update_session
from core.vault import new_token

__all__ = [
    "LINK_LIVES",
    "MAX_NAME",
    "MAX_TILLS",
    "Device",
    "add_till",
    "begin_shift",
    "device_of_link",
    "device_of_token",
    "end_shift",
    "is_till_open",
    "list_devices",
    "renew_link",
    "revoke_till",
    "set_up_till",
    "touch_till",
]

# A till's pages say at least once a minute that they are there.
OPEN_WITHIN = timedelta(minutes=2)
TOUCH_AFTER = timedelta(minutes=1)
LINK_LIVES = timedelta(hours=24)
# A button that was pressed twice sends the same form twice, within seconds.
_AGAIN_WITHIN = timedelta(minutes=10)
MAX_TILLS = 100
MAX_NAME = 40


def is_till_open(tx: Tx, merchant_id: MerchantId, now: datetime) -> bool:
    """Was some till seen in the last two minutes, with somebody signed in on it?"""
    return store.was_till_seen(tx, merchant_id, now - OPEN_WITHIN, now)


def add_till(
    tx: Tx, *, by: Staff, name: str, shop_id: str, link_hash: str, now: datetime
) -> str:
    """A new device with a link that waits for 24 hours; its id.

    Raises `Invalid` for "name" and "shop".
    """
    merchant_id = by.merchant_id
    lock_merchant(tx, merchant_id)
    problems: dict[str, tuple[str, dict[str, object]]] = {}
    known = list_devices(tx, merchant_id)
    if problem := name_problem(name):
        problems["name"] = problem
    elif any(each.name == name for each in known):
        # Two of one name could not be told apart when one of them is lost.
        problems["name"] = ("tills.invalid.name_taken", {})
    elif len(known) >= MAX_TILLS:
        problems["name"] = ("tills.invalid.many", {"max": MAX_TILLS})
    shop = next((s for s in list_shops(tx, merchant_id) if s.id == shop_id), None)
    if shop is None:
        problems["shop"] = ("tills.invalid.shop", {})
    if shop is None or problems:
        raise Invalid(problems)
    device_id = store.add_device(tx, merchant_id, name, ShopId(shop.id), by.id, now)
    _give_link(tx, merchant_id, device_id, link_hash, now)
    _note(tx, by, "device.added", device_id, now)
    return device_id


def renew_link(
    tx: Tx, *, by: Staff, device_id: str, link_hash: str, now: datetime
) -> Device:
    """A fresh link for a device. Its old link, its sign-in and its shift end at once:
    who makes one has a new tablet, or does not know where the old one is.

    Raises `NotFound("device")`.
    """
    device = find_device(tx, by.merchant_id, device_id, lock=True)
    if device is None:
        raise NotFound("device")
    store.update_device(tx, by.merchant_id, device_id, token_hash=None)
    store.drop_device_sessions(tx, by.merchant_id, device_id)
    _give_link(tx, by.merchant_id, device_id, link_hash, now)
    _note(tx, by, "device.link_renewed", device_id, now)
    return device


def revoke_till(tx: Tx, *, by: Staff, device_id: str, now: datetime) -> None:
    """End a device for good, at its next request; a second time changes nothing.

    Raises `NotFound("device")`.
    """
    device = store.find_device(tx, by.merchant_id, device_id, lock=True)
    if device is None:
        if not store.was_device(tx, by.merchant_id, device_id):
            raise NotFound("device")
        return
    ended = {"revoked_at": now, "token_hash": None, "link_hash": None}
    store.update_device(tx, by.merchant_id, device_id, **ended)
    store.drop_device_sessions(tx, by.merchant_id, device_id)
    _note(tx, by, "device.revoked", device_id, now)


def set_up_till(
    tx: Tx, *, link_hash: str, token_hash: str, old_hash: str | None, now: datetime
) -> Device | None:
    """Open a link: the browser that shows `token_hash` from now on is this device.

    None where the link is over. The same form sent twice is once. `old_hash` is what
    the browser was until now: that device has no browser any more.
    """
    device = device_of_link(tx, link_hash, now, lock=True)
    if device is None:
        known = device_of_token(tx, token_hash)
        at = known.set_up_at if known else None
        return known if at is not None and now - at < _AGAIN_WITHIN else None
    old = device_of_token(tx, old_hash) if old_hash else None
    if old is not None:
        store.update_device(tx, old.merchant_id, old.id, token_hash=None)
        store.drop_device_sessions(tx, old.merchant_id, old.id)
    values = {"token_hash": token_hash, "set_up_at": now, "seen_at": now}
    spent = {"link_hash": None, "link_until": None}
    store.update_device(tx, device.merchant_id, device.id, **values, **spent)
    actor = f"device:{device.id}"
    note(tx, device.merchant_id, actor, "device.set_up", device.id, now)
    return device_of_token(tx, token_hash)


def touch_till(
    tx: Tx, device: Device | None, session_hash: str | None, now: datetime
) -> None:
    """A till was used: note when, for its device and for who is signed in on it."""
    if device is not None:
        store.update_device(tx, device.merchant_id, device.id, seen_at=now)
    if session_hash is not None:
        update_session(tx, session_hash, seen_at=now)


def begin_shift(
    tx: Tx,
    *,
    device: Device,
    pin_mac: str,
    token_hash: str,
    language: Language,
    now: datetime,
) -> Session | PinRefused:
    """Whoever has this PIN stands at the device from now on, in its shop.

    One shift a device: the one before ends. Raises `NotFound("device")` where it was
    revoked meanwhile.
    """
    merchant_id = device.merchant_id
    if find_device(tx, merchant_id, device.id, lock=True) is None:
        raise NotFound("device")
    place = f"device:{device.id}"
    staff = check_pin(
        tx, merchant_id=merchant_id, pin_mac=pin_mac, place=place, now=now
    )
    if isinstance(staff, PinRefused):
        return staff
    store.drop_device_sessions(tx, merchant_id, device.id)
    add_session(
        tx,
        {
            "token_hash": token_hash,
            "merchant_id": merchant_id,
            "staff_id": staff.id,
            "csrf": new_token(24),
            "shop_id": device.shop_id,
            "device_id": device.id,
            "language": language,
            "kind": "till",
            "started_at": now,
            "seen_at": now,
            "ends_at": now + LONGEST["till"],
        },
    )
    store.update_device(tx, merchant_id, device.id, seen_at=now)
    _note(tx, staff, "shift.began", device.id, now)
    session = load_session(tx, token_hash, now)
    assert session is not None
    return session


def end_shift(tx: Tx, session: Session, now: datetime) -> None:
    """Nobody is on shift at this device any more; the device stays what it is."""
    drop_session(tx, session.token_hash)
    _note(tx, session.staff, "shift.ended", session.device_id or "", now)


def name_problem(name: str) -> tuple[str, dict[str, object]] | None:
    """What is wrong with the name of a device or a person, as `Invalid` says it."""
    if not name:
        return ("invalid.empty", {})
    if len(name) > MAX_NAME:
        return ("invalid.long", {"max": MAX_NAME})
    return None if name.isprintable() else ("invalid.control", {})


def _give_link(
    tx: Tx, merchant_id: MerchantId, device_id: str, link_hash: str, now: datetime
) -> None:
    until = now + LINK_LIVES
    store.update_device(
        tx, merchant_id, device_id, link_hash=link_hash, link_until=until
    )


def _note(tx: Tx, by: Staff, action: str, device_id: str, now: datetime) -> None:
    note(tx, by.merchant_id, f"staff:{by.id}", action, device_id, now)
