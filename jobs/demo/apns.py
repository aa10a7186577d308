"""A stand-in for Apple's push service: HTTP/2 over TLS with client certificates.

What it answers hangs on the first letters of the device token (`ANSWERS`), so that a
test picks a failure by naming it; any other token is a phone that takes its push.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from core.clock import Clock
from jobs.demo.bell import Bell
from jobs.demo.certificates import TlsFiles

# Token prefix → (status, reason); reason None: no body. "rst" and "hang" are below.
# https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
ANSWERS: dict[str, tuple[int, str | None]] = {
    "dead": (410, "Unregistered"),
    "expd": (410, "ExpiredToken"),
    "bad": (400, "BadDeviceToken"),
    "othr": (400, "DeviceTokenNotForTopic"),
    "forb": (403, "BadCertificate"),
    "slow": (429, "TooManyRequests"),
    "down": (503, "ServiceUnavailable"),
    "nobody": (503, None),
}
_PATH = re.compile(r"/3/device/([0-9A-Za-z_-]{1,200})")
_BIGGEST_PAYLOAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One request as it came in; `peer` is the common name of the client."""

    token: str
    headers: dict[str, str]
    body: bytes
    peer: str
    status: int


class ApnsStandIn:
    """A real server on loopback; `pushes` has every request, `on_push` hears of 200s.

    `trust`: the authorities (PEM files) whose client certificates are let in.
    `goaway_after`: each connection is ended with GOAWAY after that many answers.
    `mood`: what goes wrong with the next push, as a token's first letters; "": nothing.
    `unregistered_at`: the time that 410 carries; by default the time of the push.
    """

    def __init__(self, tls: TlsFiles, trust: Sequence[Path], clock: Clock) -> None:
        self.url = ""
        self.pushes: list[Push] = []
        self.n_connections = 0
        self.bell = Bell()
        self.on_push: Callable[[str, str], None] | None = None
        self.goaway_after: int | None = None
        self.mood: Callable[[], str] = str
        self.unregistered_at: datetime | None = None
        self.clock = clock
        self._context = _tls(tls, trust)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; `url` is known afterwards."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, ssl=self._context
        )
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Close the door and every open connection."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def wait_for_pushes(self, count: int, timeout: float = 5.0) -> list[Push]:  # noqa: ASYNC109 -- a test's deadline
        """The pushes, once there are `count`; TimeoutError after `timeout` seconds."""
        return await self.bell.until(
            lambda: self.pushes if len(self.pushes) >= count else None, timeout
        )

    def answer(self, headers: dict[str, str], topic: str) -> tuple[int, str | None]:
        """Status and reason for a request; `topic` is what the certificate allows."""
        path = _PATH.fullmatch(headers.get(":path", ""))
        if headers.get(":method") != "POST":
            return 405, "MethodNotAllowed"
        if path is None:
            return 404, "BadPath"
        if headers.get("apns-topic", topic) != topic:
            return 400, "TopicDisallowed"
        for prefix, answer in ANSWERS.items():
            if path[1].startswith(prefix):
                return answer
        return 200, None

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.n_connections += 1
        self._open.add(writer)
        talk = _Talk(self, writer)
        try:
            while not talk.over and (data := await reader.read(65536)):
                talk.hear(data)
                await writer.drain()
        except (OSError, ProtocolError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


class _Talk:
    """One connection."""

    def __init__(self, apns: ApnsStandIn, writer: asyncio.StreamWriter) -> None:
        self.over = False
        self._apns = apns
        self._writer = writer
        names = _names(writer.get_extra_info("peercert"))
        self._peer = names.get("commonName", "")
        self._topic = names.get("userId", "")
        self._asked: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._n_answers = 0
        self._h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._h2.initiate_connection()
        self._flush()

    def hear(self, data: bytes) -> None:
        """Take what came in and write what there is to say."""
        for event in self._h2.receive_data(data):
            if not self.over:
                self._take(event)
        self._flush()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=headers):
                pairs = {str(k): str(v) for k, v in headers or []}
                self._asked[stream] = (pairs, bytearray())
            case DataReceived(stream_id=int(stream), data=data):
                if stream in self._asked:
                    self._asked[stream][1].extend(data or b"")
                self._h2.acknowledge_received_data(
                    event.flow_controlled_length or 0, stream
                )
            case StreamEnded(stream_id=int(stream)):
                self._answer(stream, *self._asked.pop(stream))
            case StreamReset(stream_id=int(stream)):
                self._asked.pop(stream, None)
            case WindowUpdated() | _:
                pass

    def _answer(self, stream: int, headers: dict[str, str], body: bytearray) -> None:
        token = headers.get(":path", "").rpartition("/")[2]
        mood = self._apns.mood()
        status, reason = ANSWERS.get(mood) or self._apns.answer(headers, self._topic)
        if len(body) > _BIGGEST_PAYLOAD:
            status, reason = 413, "PayloadTooLarge"
        how = mood or token
        if how.startswith(("rst", "hang")):
            status = 0
        if how.startswith("rst"):
            self._h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif status:
            self._say(stream, headers, status, reason)
        push = Push(
            token=token,
            headers=headers,
            body=bytes(body),
            peer=self._peer,
            status=status,
        )
        self._apns.pushes.append(push)
        self._count()
        if status == 200 and self._apns.on_push is not None:  # noqa: PLR2004 -- HTTP's OK
            self._apns.on_push(token, self._topic)
        self._apns.bell.ring()

    def _say(
        self, stream: int, asked: dict[str, str], status: int, reason: str | None
    ) -> None:
        headers = [
            (":status", str(status)),
            ("apns-id", asked.get("apns-id", str(uuid.uuid4()).upper())),
        ]
        self._h2.send_headers(stream, headers, end_stream=reason is None)
        if reason is None:
            return
        body: dict[str, Any] = {"reason": reason}
        if status == 410:  # noqa: PLR2004 -- HTTP's Gone
            at = self._apns.unregistered_at or self._apns.clock.now()
            body["timestamp"] = int(at.timestamp() * 1000)
        self._h2.send_data(stream, json.dumps(body).encode(), end_stream=True)

    def _count(self) -> None:
        self._n_answers += 1
        limit = self._apns.goaway_after
        if limit is not None and self._n_answers >= limit and not self.over:
            self.over = True
            self._h2.close_connection()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())


def _tls(tls: TlsFiles, trust: Sequence[Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.cert_pem, tls.key_pem)
    context.set_alpn_protocols(["h2"])
    context.verify_mode = ssl.CERT_REQUIRED
    for path in trust:
        context.load_verify_locations(path)
    return context


def _names(certificate: dict[str, Any] | None) -> dict[str, str]:
    subject = (certificate or {}).get("subject", ())
    return {key: value for part in subject for key, value in part}
