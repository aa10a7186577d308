"""Taking back a message: its words are wiped, and what it did stays.

LINE recommends that what a person unsends is not kept:
https://developers.line.biz/en/docs/messaging-api/receiving-messages/#unsend-event
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from core.database import Tx
from core.rules.types import MerchantId
from core.store.claims import blank_claim, claims_since
from core.store.customers import find_customer
from core.store.inbox import events_of_person, replace_body

# What was written earlier has lost its text already (`jobs/retention.py`).
_WITHIN = timedelta(days=2)


def unsend_message(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, message_id: str, at: datetime
) -> None:
    """Wipe the words of this person's message, wherever they were kept.

    A stamp stays, since it was no more than asked for by the message. A claim stays
    too, but for its words: they are the customer's, and the stamp is missing still.
    Doing it again changes nothing.
    """
    since = at - _WITHIN
    events = [
        (event_id, json.loads(body))
        for event_id, body in events_of_person(tx, merchant_id, line_user_id, since)
    ]
    words = ""
    for event_id, event in events:
        if _part(event, "message").get("id") == message_id:
            words = _squeezed(_part(event, "message").get("text"))
            _wipe(tx, merchant_id, event_id, event)
    if not words:
        return
    # Of several cards the customer chose one by a button, which carried the words on.
    for event_id, event in events:
        _, _, carried = str(_part(event, "postback").get("data", "")).partition("&t=")
        if _is_of(carried, words):
            _wipe(tx, merchant_id, event_id, event)
    customer = find_customer(tx, merchant_id, line_user_id=line_user_id)
    if customer is None:
        return
    for claim in claims_since(tx, merchant_id, customer.id, since):
        if _is_of(claim.text, words):
            blank_claim(tx, merchant_id, claim.id)


def forget_place(tx: Tx, merchant_id: MerchantId, event_id: str, body: str) -> None:
    """Wipe where somebody was out of the kept event, which is answered."""
    _wipe(tx, merchant_id, event_id, json.loads(body))


def _wipe(
    tx: Tx, merchant_id: MerchantId, event_id: str, event: Mapping[str, Any]
) -> None:
    """Keep what kind of event it was, and when; nothing of what it said."""
    left = {k: v for k, v in event.items() if k not in ("message", "postback")}
    if message := _part(event, "message"):
        left["message"] = {k: message[k] for k in ("type", "id") if k in message}
    body = json.dumps(left, ensure_ascii=False, separators=(",", ":"))
    replace_body(tx, merchant_id, event_id, body)


def _is_of(said: str, words: str) -> bool:
    """Are these the words, or their beginning where they were too long?"""
    part = _squeezed(said)
    if not part.endswith("…"):
        return part == words
    return words.startswith(part.removesuffix("…"))


def _squeezed(text: object) -> str:
    """The letters alone: claims are kept in one line, and without joiners."""
    letters = text if isinstance(text, str) else ""
    return "".join(c for c in letters if c.isprintable() and not c.isspace())


def _part(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}
