"""Create or bring up to date a merchant from its file; the same file twice is once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.actions.channels import google_credentials
from core.actions.publish import publish
from core.actions.wallet_setup import WALLETS, start_wallet
from core.database import Tx
from core.errors import Invalid
from core.rules.types import Design, MerchantId, StaffId
from core.store.journal import note
from core.store.merchants import (
    load_channel,
    lock_merchant,
    put_channel,
    put_merchant,
    put_shop,
)
from core.store.outbox import announce
from core.store.programs import (
    add_program,
    append_version,
    find_program,
    list_programs,
    put_draft,
)
from core.store.staff import (
    add_api_key,
    add_by_name,
    find_by_name,
    find_staff,
    put_staff,
    staff_with_pin,
    update_staff,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantFile:
    """A merchant file, checked and with its secrets sealed by `seal(merchant_id)`."""

    merchant: Mapping[str, Any]
    shops: tuple[Mapping[str, Any], ...] = ()
    programs: tuple[tuple[str, Design], ...] = ()
    staff: tuple[Mapping[str, Any], ...] = ()
    api_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was made: staff emails that are new, and new API keys by name.

    `gone`: who is in the file but was let go since, by address or name; they stay so.
    """

    merchant_id: MerchantId
    program_ids: Mapping[str, str] = field(default_factory=dict)
    new_staff: frozenset[str] = frozenset()
    new_keys: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()


def apply_merchant(
    tx: Tx,
    file: MerchantFile,
    key_hashes: Mapping[str, str],
    now: datetime,
    pin_mac: Callable[[str, str], str] | None = None,
) -> Applied:
    """Write everything of the file but its channels; see `apply_channel`.

    A program that is there gets a new version only where the file says something new.
    `key_hashes` has a fresh key's hash for each name; names that exist keep theirs.
    `pin_mac` makes of a merchant's id and a PIN what is kept of it. Raises `Invalid`
    for a PIN of somebody who is not in the file.
    """
    merchant_id = put_merchant(tx, dict(file.merchant), now)
    for position, shop in enumerate(file.shops):
        put_shop(tx, merchant_id, {**shop, "position": position}, now)
    for position, (key, design) in enumerate(file.programs):
        _apply_program(tx, merchant_id, key, design, position, now)
    new_staff, gone = _apply_staff(tx, merchant_id, file.staff, now)
    if pin_mac is not None:
        here = [person for person in file.staff if _label(person) not in gone]
        _apply_pins(tx, merchant_id, here, pin_mac)
    new_keys = {
        name
        for name in file.api_keys
        if add_api_key(tx, merchant_id, name, key_hashes[name], now)
    }
    note(tx, merchant_id, "operator", "merchant.applied", merchant_id, now)
    return Applied(
        merchant_id=merchant_id,
        program_ids={p.key: p.id for p in list_programs(tx, merchant_id)},
        new_staff=frozenset(new_staff),
        new_keys=frozenset(new_keys),
        gone=tuple(gone),
    )


def apply_channel(
    tx: Tx, merchant_id: MerchantId, kind: str, values: Mapping[str, Any], now: datetime
) -> None:
    """Write the merchant's "line", "apple" or "google" connection, secrets sealed."""
    is_new = load_channel(tx, merchant_id, kind) is None
    put_channel(tx, merchant_id, kind, dict(values), now)
    for wallet in WALLETS:
        if kind == wallet:
            start_wallet(tx, merchant_id, wallet, now, is_new=is_new)
    note(tx, merchant_id, "operator", "channel.applied", kind, now)


def _apply_program(
    tx: Tx,
    merchant_id: MerchantId,
    key: str,
    design: Design,
    position: int,
    now: datetime,
) -> None:
    known = find_program(tx, merchant_id, key)
    if known is None:
        program_id = add_program(tx, merchant_id, key, position, now)
        append_version(tx, merchant_id, program_id, 1, design, None, now)
        if google_credentials(tx, merchant_id) is not None:
            announce(tx, merchant_id, f"class:{program_id}", now)
    elif known.design != design:
        put_draft(tx, merchant_id, known.id, design)
        publish(tx, merchant_id, known.id, None, now)


def _apply_staff(
    tx: Tx,
    merchant_id: MerchantId,
    people: tuple[Mapping[str, Any], ...],
    now: datetime,
) -> tuple[set[str], list[str]]:
    new, gone = set(), []
    for person in people:
        known = _known(tx, merchant_id, person)
        if known is not None and known.left_at is not None:
            # An old file must not bring back who was let go on the page.
            gone.append(_label(person))
            continue
        email = str(person.get("email", ""))
        values = {k: person[k] for k in ("role", "name") if k in person}
        # A password that somebody has chosen since is not set back by the file.
        if email and (known is None or person.get("chosen")):
            values["password_hash"] = person["password_hash"]
        if known is None:
            new.add(email)
        if email:
            put_staff(tx, merchant_id, email, values, now)
        elif known is None:
            add_by_name(tx, merchant_id, values.pop("name"), values, now)
        else:
            update_staff(tx, merchant_id, StaffId(known.id), **values)
    return new, gone


def _apply_pins(
    tx: Tx,
    merchant_id: MerchantId,
    people: list[Mapping[str, Any]],
    pin_mac: Callable[[str, str], str],
) -> None:
    lock_merchant(tx, merchant_id)
    wanted: dict[StaffId, str] = {}
    for person in people:
        known = _known(tx, merchant_id, person)
        if person.get("pin") and known is not None:
            wanted[StaffId(known.id)] = pin_mac(merchant_id, str(person["pin"]))
    for staff_id in wanted:
        # First all of them: two may have changed theirs about.
        update_staff(tx, merchant_id, staff_id, pin_mac=None)
    for staff_id, mac in wanted.items():
        if staff_with_pin(tx, merchant_id, mac) is not None:
            raise Invalid({"staff": ("tills.invalid.pin_taken", {})})
        update_staff(tx, merchant_id, staff_id, pin_mac=mac)


def _known(tx: Tx, merchant_id: MerchantId, person: Mapping[str, Any]) -> Any:
    if person.get("email"):
        return find_staff(tx, merchant_id, str(person["email"]))
    return find_by_name(tx, merchant_id, str(person["name"]))


def _label(person: Mapping[str, Any]) -> str:
    return str(person.get("email") or person.get("name"))
