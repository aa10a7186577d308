"""A merchant's shops, as other rooms read them."""

from __future__ import annotations

from core.store.merchants import list_shops

__all__ = ["list_shops"]
