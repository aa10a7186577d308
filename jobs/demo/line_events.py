"""Webhook events as LINE writes them, and the signature over their bytes.

https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ulid import ULID


def event(
    kind: str, user_id: str, at: datetime, reply_token: str | None, **own: Any
) -> dict[str, Any]:
    """One event of a 1:1 chat; `own` are the parts of that kind of event."""
    found: dict[str, Any] = {
        "type": kind,
        **own,
        "webhookEventId": str(ULID.from_datetime(at)),
        "deliveryContext": {"isRedelivery": False},
        "timestamp": int(at.timestamp() * 1000),
        "source": {"type": "user", "userId": user_id},
        "mode": "active",
    }
    if reply_token is not None:
        found["replyToken"] = reply_token
    return found


def redelivered(kept: dict[str, Any]) -> dict[str, Any]:
    """The same event, sent again."""
    return {**kept, "deliveryContext": {"isRedelivery": True}}


def envelope(bot_user_id: str, events: Sequence[dict[str, Any]]) -> bytes:
    """The body of a webhook call."""
    whole = {"destination": bot_user_id, "events": list(events)}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, body: bytes) -> str:
    """What stands in `x-line-signature`: base64 of HMAC-SHA256 over the raw bytes."""
    return base64.b64encode(
        hmac.new(secret.encode(), body, hashlib.sha256).digest()
    ).decode()
