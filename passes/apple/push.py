"""Tells phones, through Apple's push service (APNs), that a pass has changed.

https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes
and, for the answers,
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from passes.apple.http2 import Answer, ConnectionLost, Http2Connection, StreamFailed

TIMEOUT_SECONDS = 5.0
# Idle lines are cut by routers after some minutes, and nobody is told.
PING_SECONDS = 240.0
# One phone was pushed to too often: minutes, not seconds.
TOO_MANY_SECONDS = 120.0
# Apple takes rapid reconnecting for an attack.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0

_BAD_TOKENS = {"BadDeviceToken", "DeviceTokenNotForTopic"}
_BAD_TOPICS = {"TopicDisallowed", "BadTopic", "MissingTopic"}
_OK, _BAD_REQUEST, _FORBIDDEN, _GONE, _TOO_MANY = 200, 400, 403, 410, 429


@dataclass(frozen=True, slots=True)
class Delivered:
    """APNs took it, which is not yet the phone."""


@dataclass(frozen=True, slots=True)
class DeadToken:
    """The token is no more, or as of `since` at least; a later registration counts."""

    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The certificate or the topic is wrong: the same for every pass of this type."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now; `after` so many seconds at the earliest, where Apple said."""

    reason: str
    after: float | None = None


PushOutcome = Delivered | DeadToken | Misconfigured | Retry


class PushClient:
    """Pushes for one certificate, over one connection that stays open.

    `make_context` gives the TLS context of the certificate; it runs in a thread.
    """

    def __init__(
        self,
        url: str,
        make_context: Callable[[], ssl.SSLContext],
        topic: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        ping_every: float = PING_SECONDS,
    ) -> None:
        self._url = url
        self._make_context = make_context
        self._topic = topic
        self._timeout = timeout
        self._ping_every = ping_every
        self._context: ssl.SSLContext | None = None
        self._connection: Http2Connection | None = None
        self._opening = asyncio.Lock()
        self._n_failures = 0
        self._trouble: Misconfigured | Retry = Retry("not connected yet")
        self._not_before = 0.0  # loop time
        self._is_closed = False

    async def push(self, token: str, *, expires_at: datetime) -> PushOutcome:
        """Tell the phone of `token`; APNs keeps trying until `expires_at`.

        Never raises, and always ends, after some 25 s at the worst. When the connection
        breaks, it is tried once more on a new one: a push may come twice.
        """
        trouble: Misconfigured | Retry = Retry("not connected")
        for _ in range(2):
            connection = await self._connect()
            if not isinstance(connection, Http2Connection):
                return connection
            try:
                answer = await self._ask(connection, token, expires_at)
            except ConnectionLost as error:
                trouble = Retry(f"connection lost: {error}")
                continue
            except StreamFailed as error:
                return Retry(str(error))
            except TimeoutError:
                return Retry("no answer in time")
            self._n_failures = 0
            return read_answer(answer)
        return trouble

    async def close(self) -> None:
        """End the connection; pushes from now on are to be tried again."""
        self._is_closed = True
        if self._connection is not None:
            await self._connection.close()

    async def _ask(
        self, connection: Http2Connection, token: str, expires_at: datetime
    ) -> Answer:
        # No push type and no priority: what works with passes, and Apple says that
        # background ones may be withheld. What changed, the phone asks us.
        headers = [
            ("apns-topic", self._topic),
            ("apns-expiration", str(int(expires_at.timestamp()))),
        ]
        path = f"/3/device/{token}"
        return await connection.request(path, headers, b"{}", timeout=self._timeout)

    async def _connect(self) -> Http2Connection | Misconfigured | Retry:
        if self._connection is not None and self._connection.is_open:
            return self._connection
        async with self._opening:
            before = self._connection
            if before is not None and before.is_open:
                return before
            if before is not None:
                self._connection = None
                await before.close()
                if before.n_answers == 0:
                    self._pause(Retry("the connection broke at once"))
            return await self._open()

    async def _open(self) -> Http2Connection | Misconfigured | Retry:
        if self._is_closed:
            return Retry("stopping")
        left = self._not_before - asyncio.get_running_loop().time()
        if left > 0:
            return self._trouble
        try:
            async with asyncio.timeout(self._timeout):
                if self._context is None:
                    self._context = await asyncio.to_thread(self._make_context)
                self._connection = await Http2Connection.open(
                    self._url, self._context, ping_every=self._ping_every
                )
        except (OSError, ValueError, TimeoutError, ConnectionLost) as error:
            return self._pause(_why_not(error))
        return self._connection

    def _pause(self, trouble: Misconfigured | Retry) -> Misconfigured | Retry:
        """Open no connection for a while, ever longer."""
        pause = min(_FIRST_PAUSE * 2**self._n_failures, _LONGEST_PAUSE)
        self._n_failures += 1
        self._not_before = asyncio.get_running_loop().time() + pause
        self._trouble = trouble
        return trouble


def read_answer(answer: Answer) -> PushOutcome:
    """What an answer of APNs asks us to do."""
    body = _read_body(answer.body)
    reason = str(body.get("reason", ""))[:100]
    said = f"APNs answered {answer.status} {reason}".rstrip()
    if answer.status == _OK:
        return Delivered()
    if answer.status == _GONE:
        return DeadToken(said, _since(body.get("timestamp")))
    if answer.status == _BAD_REQUEST and reason in _BAD_TOKENS:
        return DeadToken(said)
    if answer.status == _FORBIDDEN or reason in _BAD_TOPICS:
        return Misconfigured(said)
    if answer.status == _TOO_MANY:
        return Retry(said, max(answer.retry_after or 0.0, TOO_MANY_SECONDS))
    return Retry(said, answer.retry_after)


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _since(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _why_not(error: Exception) -> Misconfigured | Retry:
    """A connection could not be opened. Apple's word on our certificate is final."""
    if isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLCertVerificationError
    ):
        reason = error.reason or ""
        if "ALERT" in reason and ("CERTIFICATE" in reason or "CA" in reason.split("_")):
            return Misconfigured(f"APNs refuses the certificate: {reason}")
    if isinstance(error, TimeoutError):
        return Retry("no connection to APNs in time")
    return Retry(f"no connection to APNs: {type(error).__name__}: {error}")
