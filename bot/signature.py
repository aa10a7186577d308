"""Did LINE send this? The signature over a webhook's raw bytes.

https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def is_signed(body: bytes, signature: str | None, secrets: Iterable[str]) -> bool:
    """True when `signature` (the header x-line-signature, or None) fits `body`.

    `secrets` are the channel's secret and, while it is being replaced, the previous
    one. Every one is tried in constant time, so that timing tells nothing.
    """
    given = (signature or "").encode("utf-8", "replace")
    fits = [hmac.compare_digest(_sign(body, secret), given) for secret in secrets]
    return any(fits)


def _sign(body: bytes, secret: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
