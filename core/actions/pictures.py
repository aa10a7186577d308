"""A merchant's own pictures, kept under the digest of their content."""

from __future__ import annotations

import hashlib
from datetime import datetime

from core.database import Tx
from core.rules.types import MerchantId
from core.store.programs import load_picture, put_picture


def keep_picture(tx: Tx, merchant_id: MerchantId, content: bytes, now: datetime) -> str:
    """Keep a PNG; its SHA-256 in hex. `Look.icon` is then `picture:<digest>`."""
    digest = hashlib.sha256(content).hexdigest()
    put_picture(tx, merchant_id, digest, content, now)
    return digest


__all__ = ["keep_picture", "load_picture"]
