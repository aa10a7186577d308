"""Webhook events, read tolerantly: one odd event never loses the batch. Pure.

LINE may add event types, values and properties without notice, and the SDK's parser
gives up a whole batch over one of them, so the few fields we use are read by hand.
https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# A reply token is good for about a minute; from a redelivery for a minute again, up
# to 20 minutes after the event.
# https://developers.line.biz/en/reference/messaging-api/#send-reply-message
REPLY_WITHIN = timedelta(seconds=50)
REDELIVERY_WITHIN = timedelta(minutes=20)

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent:
    """One event. `kind` is LINE's `type`; "" or None where LINE says nothing.

    `person` is the user id of a 1:1 chat, and only of that. `place` is the id of a
    group or room, `spot` where on Earth the person says to be (latitude, longitude in
    degrees), `unsent` the id of a message that is taken back. `body` is the event as
    JSON text that any database can hold.
    """

    id: str
    kind: str
    at: datetime
    person: str
    place: str
    source: str
    is_active: bool
    is_redelivery: bool
    reply_token: str | None
    text: str | None
    postback: str | None
    spot: tuple[float, float] | None
    unsent: str
    is_unblocked: bool
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One call of LINE. `n_odd` counts what was in `events` and is no event at all."""

    destination: str
    events: tuple[LineEvent, ...]
    n_odd: int


def read_webhook(body: bytes, now: datetime) -> Webhook:
    """Read a webhook's body. Raises ValueError when it is no JSON object."""
    try:
        data = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 -- one error for all
    listed = data.get("events")
    listed = listed if isinstance(listed, list) else []
    events = [event for item in listed if (event := _try_event(item, now))]
    return Webhook(
        destination=_text(data.get("destination")) or "",
        events=tuple(events),
        n_odd=len(listed) - len(events),
    )


def read_event(data: Mapping[str, Any], now: datetime) -> LineEvent:
    """Read one event; whatever is missing or of another type counts as not said.

    `now` stands in for a missing time, and no event is later than that.
    """
    data = _scrubbed(data)
    source, message = _part(data, "source"), _part(data, "message")
    context, kind = _part(data, "deliveryContext"), _id(data.get("type"))
    is_message = kind == "message" and message.get("type") == "text"
    where = _text(source.get("type")) or ""
    return LineEvent(
        id=_id(data.get("webhookEventId")) or _own_id(data),
        kind=kind,
        at=_instant(data.get("timestamp"), now),
        person=_id(source.get("userId")) if where == "user" else "",
        place=_id(source.get("groupId")) or _id(source.get("roomId")),
        source=where,
        # In standby another bot has the chat: there is no reply token, and we are
        # not to speak. A mode that we do not know is no leave to speak either.
        is_active=data.get("mode", "active") == "active",
        is_redelivery=context.get("isRedelivery") is True,
        reply_token=_text(data.get("replyToken")) or None,
        text=_text(message.get("text")) if is_message else None,
        postback=_text(_part(data, "postback").get("data")),
        spot=_spot(message) if kind == "message" else None,
        unsent=_id(_part(data, "unsend").get("messageId")),
        is_unblocked=_part(data, "follow").get("isUnblocked") is True,
        body=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    )


def reply_deadline(event: LineEvent, now: datetime) -> datetime:
    """Until when a reply may be tried to an event that came in at `now`."""
    soon = now + REPLY_WITHIN
    return min(soon, event.at + REDELIVERY_WITHIN) if event.is_redelivery else soon


def _try_event(item: object, now: datetime) -> LineEvent | None:
    try:
        return read_event(item, now) if isinstance(item, dict) else None
    except RecursionError:
        return None


def _scrubbed(data: Mapping[str, Any]) -> dict[str, Any]:
    # "\ud83d" alone is valid JSON and no valid text: no database would take it.
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()
    scrubbed: dict[str, Any] = json.loads(text)
    return scrubbed


def _own_id(data: Mapping[str, Any]) -> str:
    # What differs between a delivery and its redelivery must not change the id.
    lasting = {k: v for k, v in data.items() if k != "deliveryContext"}
    canonical = json.dumps(lasting, sort_keys=True, separators=(",", ":"))
    return "sha256-" + hashlib.sha256(canonical.encode()).hexdigest()[:57]


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _spot(message: Mapping[str, Any]) -> tuple[float, float] | None:
    latitude, longitude = message.get("latitude"), message.get("longitude")
    if message.get("type") != "location":
        return None
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    # NaN is in no range.
    is_on_earth = -90 <= latitude <= 90 and -180 <= longitude <= 180  # noqa: PLR2004 -- degrees
    return (float(latitude), float(longitude)) if is_on_earth else None


def _id(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _instant(value: object, now: datetime) -> datetime:
    try:
        at = datetime.fromtimestamp(float(str(value)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(at, now)
