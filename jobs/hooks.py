"""Sends a merchant's own systems what happened, signed, to public addresses only."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from functools import partial

import aiohttp

from core.actions.hooks import (
    HOOK_SECRET,
    Sending,
    keep_body,
    load_sending,
    note_failed,
    note_try,
)
from core.actions.outbox import Delivery
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.rules.hooks import (
    Hook,
    HookDeliveryId,
    HookError,
    is_allowed,
    may_stay_here,
    signature,
)
from core.vault import Vault
from jobs.pump import wait_after
from webhooks.api.hook_body import hook_body

SECONDS = 10.0
USER_AGENT = "stampcard-webhook/1"

_GOOD = range(200, 300)
_GONE = 410


class NotPublic(OSError):
    """The address is not one that a webhook may lead to."""


class HookSender:
    """Delivers `hook:<delivery id>` topics; a handler of the pump."""

    def __init__(
        self, db: Database, vault: Vault, links: Links, settings: Settings
    ) -> None:
        self._db = db
        self._vault = vault
        self._links = links
        connector = aiohttp.TCPConnector(
            # Every socket is made here, whatever the name resolved to this time.
            socket_factory=partial(
                _public_socket, stays_here=may_stay_here(settings.public_url)
            ),
            use_dns_cache=False,
            limit=0,
        )
        # No proxy of the environment: it would resolve the name for itself.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            trust_env=False,
        )

    async def deliver(self, delivery: Delivery, now: datetime) -> None:
        """Try one delivery and note how it went. Raises `DeliveryError`."""
        delivery_id = HookDeliveryId(delivery.topic.removeprefix("hook:"))
        sending = await self._db.read(load_sending, delivery.merchant_id, delivery_id)
        if sending is None:
            return
        hook = sending.hook
        if hook is None or hook.stopped_at is not None:
            await self._db.write(note_failed, sending.delivery, "stopped")
            return
        status, error, retry_after = await self._try(sending, hook, now)
        if not error:
            await self._db.write(note_try, sending.delivery, now, status=status)
            return
        words = f"webhook: {error} {status or ''}".strip()
        failure = DeliveryError(
            words, permanent=error == "gone", retry_after=retry_after
        )
        await self._db.write(
            note_try,
            sending.delivery,
            now,
            status=status,
            error=error,
            is_last=wait_after(delivery.attempts, failure) is None,
        )
        raise failure

    async def close(self) -> None:
        """Let go of every connection."""
        await self._session.close()

    async def _try(
        self, sending: Sending, hook: Hook, now: datetime
    ) -> tuple[int | None, HookError, float | None]:
        """The status, what is wrong ("" for nothing), and the wait that was asked."""
        body = await self._body(sending, now)
        made = sending.delivery
        secret = self._vault.open(
            hook.sealed_secret, hook.merchant_id, HOOK_SECRET, hook.id
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-Stampcard-Delivery": made.id,
            "X-Stampcard-Event": made.type,
            "X-Stampcard-Signature": signature(secret, body, now),
        }
        try:
            async with self._session.post(
                hook.url, data=body.encode(), headers=headers, allow_redirects=False
            ) as answer:
                # The body is not read: nothing of it is kept, and it may be endless.
                status, wait = answer.status, answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, _reason(error), None
        if status in _GOOD:
            return status, "", None
        asked = float(wait) if wait.isdecimal() and len(wait) < 7 else None  # noqa: PLR2004 -- days are enough
        return status, "gone" if status == _GONE else "status", asked

    async def _body(self, sending: Sending, now: datetime) -> str:
        made = sending.delivery
        if made.body:
            return made.body
        body = await self._db.read(hook_body, sending.merchant, self._links, made, now)
        return await self._db.write(keep_body, made.merchant_id, made.id, body)


def _public_socket(address: aiohttp.AddrInfoType, *, stays_here: bool) -> socket.socket:
    """A socket to connect to `address` with. Raises `NotPublic`."""
    family, kind, protocol, _, place = address
    if not is_allowed(str(place[0]), stays_here=stays_here):
        raise NotPublic("not a public address")
    return socket.socket(family=family, type=kind, proto=protocol)


def _reason(error: Exception) -> HookError:
    match error:
        case asyncio.TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, NotPublic):
            return "private"
        case _:
            return "connect"
