"""Merchants, as other rooms read them."""

from __future__ import annotations

from core.database import Tx
from core.errors import NotFound
from core.rules.types import Merchant
from core.store.merchants import find_merchant as stored_merchant
from core.store.merchants import list_merchants, load_merchant


def find_merchant(tx: Tx, key: str) -> Merchant:
    """The merchant with this key. Raises `NotFound("merchant")`."""
    merchant = stored_merchant(tx, key)
    if merchant is None:
        raise NotFound("merchant")
    return merchant


__all__ = ["find_merchant", "list_merchants", "load_merchant"]
