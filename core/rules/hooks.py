"""Outgoing webhooks: which events there are, where they may go, how they are signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal, NewType, get_args
from urllib.parse import urlsplit

from core.errors import Invalid
from core.rules.types import MerchantId

HookId = NewType("HookId", str)
HookDeliveryId = NewType("HookDeliveryId", str)

HookEvent = Literal[
    "card.issued",
    "stamp.granted",
    "stamp.undone",
    "voucher.issued",
    "voucher.redeemed",
    "pass.installed",
    "pass.removed",
]
EVENTS: tuple[HookEvent, ...] = get_args(HookEvent)
# What the test button sends; nobody subscribes to it.
PING = "ping"

HookState = Literal["waiting", "delivered", "failed"]
# Why a try failed; also the key of its sentence (`machines.error.<code>`).
HookError = Literal[
    "", "status", "gone", "timeout", "dns", "private", "tls", "connect", "stopped"
]

MAX_HOOKS = 5
MAX_URL = 500

_UNICAST = IPv6Network("2000::/3")
_TEREDO = IPv6Network("2001::/32")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A merchant's own address that is told of `events`.

    `stopped_at`: it answered that it is gone for good, and is told nothing more.
    """

    id: HookId
    merchant_id: MerchantId
    url: str
    events: tuple[str, ...]
    sealed_secret: str
    created_at: datetime
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelivery:
    """One event on its way to one webhook.

    `data` has the ids of what the event is about, `body` what is sent ("" before the
    first try), `status` the last answer's.
    """

    id: HookDeliveryId
    merchant_id: MerchantId
    hook_id: HookId
    event_id: str
    type: str
    data: Mapping[str, str]
    body: str
    state: HookState
    tries: int
    status: int | None
    error: str
    made_at: datetime
    tried_at: datetime | None


def signature(secret: str, body: str, at: datetime) -> str:
    """The value of X-Stampcard-Signature for a body that is sent at `at`."""
    t = int(at.timestamp())
    code = hmac.new(secret.encode(), f"{t}.{body}".encode(), hashlib.sha256)
    return f"t={t},v1={code.hexdigest()}"


def may_stay_here(public_url: str) -> bool:
    """Is this a service that only this machine reaches: a demo, or a test?

    Its webhooks may go to this machine, and without TLS.
    """
    parts = urlsplit(public_url)
    return parts.scheme == "http" and _is_loopback(parts.hostname or "")


def check_url(url: str, *, stays_here: bool) -> str:
    """A webhook's address as it may be kept. Raises `Invalid` for "url".

    What a name leads to is looked at again at each connection, see `is_allowed`.
    """
    problem = _problem_of(url, stays_here)
    if problem:
        raise Invalid({"url": (f"machines.invalid.{problem}", {"max": MAX_URL})})
    return url


def check_events(events: list[str]) -> tuple[str, ...]:
    """The chosen events in their own order. Raises `Invalid` for "events"."""
    if not events or not set(events) <= set(EVENTS):
        raise Invalid({"events": ("machines.invalid.events", {})})
    return tuple(event for event in EVENTS if event in events)


def is_allowed(address: str, *, stays_here: bool) -> bool:
    """May a webhook connect to this IP address?

    Public ones only: a merchant must not reach into the network of the service
    (server-side request forgery).
    """
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(known) or (stays_here and known.is_loopback)


def _problem_of(url: str, stays_here: bool) -> str:
    if len(url) > MAX_URL:
        return "long"
    host = _host_of(url)
    if not host:
        return "url"
    if not url.lower().startswith(("https:", "http:") if stays_here else "https:"):
        return "https"
    is_here = stays_here and _is_loopback(host)
    return "" if is_here or _may_be_public(host) else "private"


def _host_of(url: str) -> str:
    """The host of a plain URL; "" where it is none, or more than one needs."""
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\')
    try:
        parts = urlsplit(url if is_plain else "")
        # Looking at the port checks it.
        is_odd = parts.username is not None or parts.fragment or parts.port == 0
    except ValueError:
        return ""
    return "" if is_odd else parts.hostname or ""


def _may_be_public(host: str) -> bool:
    try:
        return _is_public(ip_address(host))
    except ValueError:
        # A name without a dot is one of the local network, or a number in disguise.
        last = host.rstrip(".").rpartition(".")
        return bool(last[0]) and last[2] not in {"localhost", "local", "internal"}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_public(known: IPv4Address | IPv6Address) -> bool:
    if isinstance(known, IPv4Address):
        return known.is_global and not known.is_multicast
    inner = known.ipv4_mapped or known.sixtofour
    if known in _NAT64:
        inner = IPv4Address(int(known) & 0xFFFFFFFF)
    if inner is not None:
        # An IPv4 address in another form is as public as itself.
        return _is_public(inner)
    return known in _UNICAST and known not in _TEREDO and known.is_global
