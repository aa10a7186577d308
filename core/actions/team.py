"""Who works here: people with a PIN only, everybody's PINs, and letting somebody go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from core.actions.pins import MAY_SERVE, PinRefused, try_pin
from core.actions.tills import MAX_NAME, name_problem
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.pins import LONGEST, SHORTEST, pin_problem, read_pin
from core.rules.types import MerchantId, Staff, StaffId
from core.store import staff as store
from core.store.journal import note
from core.store.merchants import lock_merchant, set_phone_pin
from core.store.staff import Member, list_team
from core.vault import new_digits

__all__ = [
    "MAX_NAME",
    "MAX_TEAM",
    "Given",
    "Member",
    "add_clerk",
    "bring_back",
    "give_pin",
    "let_go",
    "list_team",
    "name_of",
    "switch_phone_pin",
    "take_pin",
]

MAX_TEAM = 500

# What makes of a PIN what is kept of it; the key for it stays outside.
MacOf = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A PIN was given; `pin` is set where it was made here, to be shown this once."""

    staff: Staff
    pin: str | None


def name_of(staff: Staff) -> str:
    """How people call them: the name, else what stands before the @."""
    return staff.name or staff.email.partition("@")[0]


def add_clerk(
    tx: Tx, *, by: Staff, name: str, typed: str, mac_of: MacOf, now: datetime
) -> Given | PinRefused:
    """Add somebody who needs no e-mail address: a name and a PIN, "" to have one made.

    Raises `Invalid` for "name" and "pin".
    """
    lock_merchant(tx, by.merchant_id)
    team = [m for m in list_team(tx, by.merchant_id) if m.left_at is None]
    problem = name_problem(name)
    if not problem and any(name_of(m.staff) == name for m in team):
        problem = ("tills.invalid.person_taken", {})
    if not problem and len(team) >= MAX_TEAM:
        problem = ("tills.invalid.many_people", {"max": MAX_TEAM})
    if problem:
        raise Invalid({"name": problem})
    pin = _choose(tx, by, typed, mac_of, now)
    if isinstance(pin, PinRefused):
        return pin
    values = {"role": "clerk", "pin_mac": mac_of(pin)}
    staff_id = store.add_by_name(tx, by.merchant_id, name, values, now)
    _note(tx, by, "staff.added", staff_id, now)
    added = _find(tx, by.merchant_id, staff_id)
    return Given(staff=added.staff, pin=None if typed else pin)


def give_pin(
    tx: Tx, *, by: Staff, staff_id: str, typed: str, mac_of: MacOf, now: datetime
) -> Given | PinRefused:
    """Set or replace somebody's PIN, "" to have one made.

    A shift that runs goes on. Raises `Invalid` for "pin" and "staff", `NotFound`.
    """
    member = _changeable(tx, by, staff_id)
    if member.staff.role not in MAY_SERVE:
        raise Invalid({"staff": ("tills.invalid.viewer", {})})
    pin = _choose(tx, by, typed, mac_of, now, of=member.staff.id)
    if isinstance(pin, PinRefused):
        return pin
    mac = mac_of(pin)
    store.update_staff(tx, by.merchant_id, member.staff.id, pin_mac=mac)
    _note(tx, by, "staff.pin_set", member.staff.id, now)
    return Given(staff=member.staff, pin=None if typed else pin)


def take_pin(tx: Tx, *, by: Staff, staff_id: str, now: datetime) -> None:
    """Take somebody's PIN away; their shifts on devices end with it.

    Raises `Invalid` for "staff", `NotFound`.
    """
    member = _changeable(tx, by, staff_id)
    store.update_staff(tx, by.merchant_id, member.staff.id, pin_mac=None)
    store.drop_staff_sessions(tx, by.merchant_id, member.staff.id, on_devices=True)
    _note(tx, by, "staff.pin_removed", member.staff.id, now)


def let_go(tx: Tx, *, by: Staff, staff_id: str, now: datetime) -> None:
    """Somebody works here no more: signed out everywhere at once, their PIN free.

    What they did keeps their name. Again changes nothing. Raises `Invalid` for "staff"
    (oneself, the last owner), `NotFound`.
    """
    member = _changeable(tx, by, staff_id, even_left=True)
    if member.left_at is not None:
        return
    if member.staff.id == by.id:
        raise Invalid({"staff": ("tills.invalid.oneself", {})})
    owners = [
        m
        for m in list_team(tx, by.merchant_id)
        if m.staff.role == "owner" and m.left_at is None
    ]
    if [m.staff.id for m in owners] == [member.staff.id]:
        raise Invalid({"staff": ("tills.invalid.last_owner", {})})
    values = {"left_at": now, "pin_mac": None}
    store.update_staff(tx, by.merchant_id, member.staff.id, **values)
    store.drop_staff_sessions(tx, by.merchant_id, member.staff.id)
    _note(tx, by, "staff.let_go", member.staff.id, now)


def bring_back(tx: Tx, *, by: Staff, staff_id: str, now: datetime) -> None:
    """Somebody works here again; they need a new PIN. Raises `Invalid`, `NotFound`."""
    member = _changeable(tx, by, staff_id, even_left=True)
    if member.left_at is None:
        return
    store.update_staff(tx, by.merchant_id, member.staff.id, left_at=None)
    _note(tx, by, "staff.brought_back", member.staff.id, now)


def switch_phone_pin(tx: Tx, *, by: Staff, is_on: bool, now: datetime) -> None:
    """May staff confirm a reward by their PIN on the customer's phone?"""
    set_phone_pin(tx, by.merchant_id, is_on)
    action = "merchant.phone_pin_on" if is_on else "merchant.phone_pin_off"
    note(tx, by.merchant_id, f"staff:{by.id}", action, by.merchant_id, now)


def _changeable(tx: Tx, by: Staff, staff_id: str, *, even_left: bool = False) -> Member:
    # One change of a team at a time: two owners could else let each other go.
    lock_merchant(tx, by.merchant_id)
    member = _find(tx, by.merchant_id, StaffId(staff_id))
    if member.left_at is not None and not even_left:
        raise NotFound("staff")
    if member.staff.role == "owner" and by.role != "owner":
        raise Invalid({"staff": ("tills.invalid.owner", {})})
    return member


def _choose(
    tx: Tx,
    by: Staff,
    typed: str,
    mac_of: MacOf,
    now: datetime,
    *,
    of: StaffId | None = None,
) -> str | PinRefused:
    """The PIN that was typed, or a fresh one, when nobody else has it."""
    if not typed:
        return _make(tx, by.merchant_id, mac_of)
    pin = read_pin(typed)
    problem = pin_problem(pin)
    if problem is not None:
        limits = {"min": SHORTEST, "max": LONGEST} if problem == "length" else {}
        raise Invalid({"pin": (f"tills.invalid.pin_{problem}", limits)})
    holder = store.staff_with_pin(tx, by.merchant_id, mac_of(pin))
    if holder is not None and holder.id == of:
        return pin
    found = try_pin(tx, merchant_id=by.merchant_id, pin_mac=mac_of(pin), by=by, now=now)
    if isinstance(found, PinRefused):
        return found
    return pin if found == "free" else PinRefused(None)


def _make(tx: Tx, merchant_id: MerchantId, mac_of: MacOf) -> str:
    for tries in count():
        # Where hardly a short one is free, a longer one is.
        pin = new_digits(min(SHORTEST + tries // 20, LONGEST))
        if pin_problem(pin) is None and not store.staff_with_pin(
            tx, merchant_id, mac_of(pin)
        ):
            return pin
    raise AssertionError


def _find(tx: Tx, merchant_id: MerchantId, staff_id: StaffId) -> Member:
    team = list_team(tx, merchant_id)
    found = next((m for m in team if m.staff.id == staff_id), None)
    if found is None:
        raise NotFound("staff")
    return found


def _note(tx: Tx, by: Staff, action: str, staff_id: str, now: datetime) -> None:
    note(tx, by.merchant_id, f"staff:{by.id}", action, staff_id, now)
