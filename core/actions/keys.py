"""The API keys of a merchant's machines. Their values are never kept."""

from __future__ import annotations

from datetime import datetime

from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.types import MerchantId, StaffId
from core.store import staff as store
from core.store.journal import note
from core.store.staff import ApiKey, list_api_keys

MAX_KEYS = 20
MAX_NAME = 64

__all__ = ["MAX_KEYS", "MAX_NAME", "ApiKey", "list_api_keys", "make_key", "revoke_key"]


def make_key(
    tx: Tx,
    merchant_id: MerchantId,
    name: str,
    key_hash: str,
    by: StaffId,
    now: datetime,
) -> None:
    """Keep the hash of a fresh API key; a revoked key's name is free again.

    Raises `Invalid` for the "name".
    """
    problem = _problem_of(name)
    if not problem and len(list_api_keys(tx, merchant_id)) >= MAX_KEYS:
        problem = ("machines.invalid.keys", {"max": MAX_KEYS})
    if not problem and not (
        store.add_api_key(tx, merchant_id, name, key_hash, now)
        or store.renew_api_key(tx, merchant_id, name, key_hash, now)
    ):
        problem = ("machines.invalid.name", {})
    if problem:
        raise Invalid({"name": problem})
    note(tx, merchant_id, f"staff:{by}", "api_key.made", name, now)


def revoke_key(
    tx: Tx, merchant_id: MerchantId, key_id: str, by: StaffId, now: datetime
) -> str:
    """End a key for good; its name. Raises `NotFound("API key")`."""
    name = store.revoke_api_key(tx, merchant_id, key_id, now)
    if name is None:
        raise NotFound("API key")
    note(tx, merchant_id, f"staff:{by}", "api_key.revoked", name, now)
    return name


def _problem_of(name: str) -> tuple[str, dict[str, object]] | None:
    if not name:
        return ("invalid.empty", {})
    if len(name) > MAX_NAME:
        return ("invalid.long", {"max": MAX_NAME})
    return None if name.isprintable() else ("invalid.control", {})
