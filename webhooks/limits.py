"""How often one address may try something: token buckets in memory.

Each process counts for itself; the lock of an account (`core.actions.signin`) is what
holds across processes. Buckets only slow a guesser down before passwords are hashed.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

from aiohttp import web

_MOST_KEYS = 10_000
_IPV6_SITE = 64
_PRIVATE = tuple(
    ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


class TryLimit:
    """`burst` tries at once for each key, then one more every `seconds`."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst = float(burst)
        self._seconds = seconds
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, key: str, now: datetime) -> float:
        """Count one try; 0.0 when it may go ahead, else the seconds to wait."""
        left = self._left(key, now)
        if left < 1:
            return (1 - left) * self._seconds
        self._keep(key, left - 1, now)
        return 0.0

    def give_back(self, key: str, now: datetime) -> None:
        """The try was a good one after all: it does not count."""
        self._keep(key, min(self._left(key, now) + 1, self._burst), now)

    def _left(self, key: str, now: datetime) -> float:
        left, at = self._buckets.get(key, (self._burst, now))
        gained = max((now - at).total_seconds(), 0.0) / self._seconds
        return min(left + gained, self._burst)

    def _keep(self, key: str, left: float, now: datetime) -> None:
        self._buckets[key] = (left, now)
        self._buckets.move_to_end(key)
        # A guesser with many addresses must not fill the memory.
        while len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)


def client_ip(request: web.BaseRequest) -> str:
    """The address of whoever asks, "" when unknown.

    A proxy of ours stands on this machine or in its private network, and appends the
    address it saw: only then is the last X-Forwarded-For entry believed. The entries
    before it are the client's own words.
    """
    peer = request.remote or ""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    if not forwarded or not _is_near(peer):
        return peer
    last = forwarded[-1].rsplit(",", 1)[-1].strip()
    return last if _is_address(last) else peer


def limit_key(address: str) -> str:
    """What one customer of an access provider holds: an IPv4, or an IPv6 site."""
    if not _is_address(address):
        return address
    known = ip_address(address)
    if isinstance(known, IPv4Address):
        return address
    return str(IPv6Network((int(known), _IPV6_SITE), strict=False))


def _is_near(address: str) -> bool:
    # Not `is_private`: that also counts addresses that are reserved for examples.
    if not _is_address(address):
        return False
    known = ip_address(address)
    return known.is_loopback or any(known in network for network in _PRIVATE)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
