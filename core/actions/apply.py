"""Create or bring up to date a merchant from its file; the same file twice is once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.actions.publish import publish
from core.database import Tx
from core.rules.types import Design, MerchantId
from core.store.journal import note
from core.store.merchants import put_channel, put_merchant, put_shop
from core.store.programs import (
    add_program,
    append_version,
    find_program,
    list_programs,
    put_draft,
)
from core.store.staff import add_api_key, find_staff, put_staff


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
    """What was made: staff emails that are new, and new API keys by name."""

    merchant_id: MerchantId
    program_ids: Mapping[str, str] = field(default_factory=dict)
    new_staff: frozenset[str] = frozenset()
    new_keys: frozenset[str] = frozenset()


def apply_merchant(
    tx: Tx, file: MerchantFile, key_hashes: Mapping[str, str], now: datetime
) -> Applied:
    """Write everything of the file but its channels; see `apply_channel`.

    A program that is there gets a new version only where the file says something new.
    `key_hashes` has a fresh key's hash for each name; names that exist keep theirs.
    """
    merchant_id = put_merchant(tx, dict(file.merchant), now)
    for position, shop in enumerate(file.shops):
        put_shop(tx, merchant_id, {**shop, "position": position}, now)
    for position, (key, design) in enumerate(file.programs):
        _apply_program(tx, merchant_id, key, design, position, now)
    new_staff = _apply_staff(tx, merchant_id, file.staff, now)
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
    )


def apply_channel(
    tx: Tx, merchant_id: MerchantId, kind: str, values: Mapping[str, Any], now: datetime
) -> None:
    """Write the merchant's "line", "apple" or "google" connection, secrets sealed."""
    put_channel(tx, merchant_id, kind, dict(values), now)
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
    elif known.design != design:
        put_draft(tx, merchant_id, known.id, design)
        publish(tx, merchant_id, known.id, None, now)


def _apply_staff(
    tx: Tx,
    merchant_id: MerchantId,
    people: tuple[Mapping[str, Any], ...],
    now: datetime,
) -> set[str]:
    new = set()
    for person in people:
        email = str(person["email"])
        values = {k: person[k] for k in ("role", "name") if k in person}
        is_new = find_staff(tx, merchant_id, email) is None
        # A password that somebody has chosen since is not set back by the file.
        if is_new or person.get("chosen"):
            values["password_hash"] = person["password_hash"]
        if is_new:
            new.add(email)
        put_staff(tx, merchant_id, email, values, now)
    return new
