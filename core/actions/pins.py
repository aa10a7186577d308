"""Who typed this PIN? And nobody may try for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from core.database import Tx
from core.rules.pins import AT_A_DEVICE, ON_A_PHONE, ON_ALL_PHONES, Patience
from core.rules.types import MerchantId, Role, Staff
from core.store.journal import note
from core.store.pins import lock_place, note_failure
from core.store.staff import staff_with_pin

# A viewer looks on: they give no stamps, also not by a PIN.
MAY_SERVE: tuple[Role, ...] = ("owner", "manager", "clerk")

_PHONES = "phones"


@dataclass(frozen=True, slots=True)
class PinRefused:
    """Nobody's PIN, or too many wrong ones; `retry_at`: from when to try again (None:
    at once).
    """

    retry_at: datetime | None


def check_pin(
    tx: Tx, *, merchant_id: MerchantId, pin_mac: str, place: str, now: datetime
) -> Staff | PinRefused:
    """The one member of staff with this PIN, or a refusal that counts at `place`.

    `place` is "device:<id>" or "phone:<redemption id>"; wrong PINs on phones also
    count for all of the merchant's phones together. While a place is closed, a right
    PIN is refused as well: else an answer would tell that it is right.
    """
    counts = _lock(tx, merchant_id, place, now)
    closed = _closed(counts, now)
    if closed is not None:
        return closed
    staff = staff_with_pin(tx, merchant_id, pin_mac)
    if staff is not None and staff.role in MAY_SERVE:
        return staff
    kind, _, subject = place.partition(":")
    note(tx, merchant_id, "system", f"pin.wrong.{kind}", subject, now)
    return _count(tx, merchant_id, counts, now)


def try_pin(
    tx: Tx, *, merchant_id: MerchantId, pin_mac: str, by: Staff, now: datetime
) -> Literal["free", "taken"] | PinRefused:
    """May this PIN be given to somebody? That it is taken tells what opens another's
    shift, so nobody may ask for long: it counts as a wrong one of whoever asks.
    """
    counts = _lock(tx, merchant_id, f"staff:{by.id}", now)
    closed = _closed(counts, now)
    if closed is not None:
        return closed
    if staff_with_pin(tx, merchant_id, pin_mac) is None:
        return "free"
    _count(tx, merchant_id, counts, now)
    return "taken"


def _lock(
    tx: Tx, merchant_id: MerchantId, place: str, now: datetime
) -> list[tuple[Patience, Row[Any]]]:
    places = [(place, AT_A_DEVICE)]
    if place.startswith("phone:"):
        # Always in this order, so that two guesses never wait for each other.
        places = [(_PHONES, ON_ALL_PHONES), (place, ON_A_PHONE)]
    return [
        (patience, lock_place(tx, merchant_id, each, now)) for each, patience in places
    ]


def _closed(
    counts: list[tuple[Patience, Row[Any]]], now: datetime
) -> PinRefused | None:
    locks = [row.locked_until for _, row in counts]
    until = max((at for at in locks if at and at > now), default=None)
    return None if until is None else PinRefused(until)


def _count(
    tx: Tx,
    merchant_id: MerchantId,
    counts: list[tuple[Patience, Row[Any]]],
    now: datetime,
) -> PinRefused:
    ends = []
    for patience, row in counts:
        failures = 1 + patience.remembered(row.failures, row.failed_at, now)
        wait = patience.wait_after(failures)
        closed = now + wait if wait else None
        ends.append(closed)
        note_failure(tx, merchant_id, row.place, failures, closed, now)
    return PinRefused(max((at for at in ends if at), default=None))
