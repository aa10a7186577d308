"""The OpenAPI document's part on outgoing webhooks."""

from __future__ import annotations

from typing import Any

from core.rules.hooks import EVENTS, PING
from webhooks.api.hook_models import HookAnswer

Json = dict[str, Any]

_HEADERS = {
    "X-Stampcard-Event": "The type of the event, as in the body.",
    "X-Stampcard-Delivery": "The delivery; the same in each of its tries.",
    "X-Stampcard-Signature": (
        "`t=<seconds since 1970>,v1=<hex>`: v1 is the HMAC-SHA256 of t, a dot and the "
        "body as it came, under the webhook's whole secret."
    ),
}


def webhooks(ref: str) -> Json:
    """One entry for each type of event; `ref` leads to a model's schema."""
    return {event: {"post": _told(event, ref)} for event in (*EVENTS, PING)}


def _told(event: str, ref: str) -> Json:
    schema = {"$ref": ref.format(model=HookAnswer.__name__)}
    parameters = [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": words,
            "schema": {"type": "string"},
        }
        for name, words in _HEADERS.items()
    ]
    return {
        "operationId": f"hook.{event}",
        "summary": f"Tell the merchant's own system: {event}",
        # Signed, not with the merchant's key.
        "security": [],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        },
        "responses": {
            "2XX": {"description": "It arrived, and is not sent again."},
            "410": {"description": "Gone for good: nothing more is sent here."},
        },
    }
