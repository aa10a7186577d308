"""One HTTP/2 connection to Apple's push service, for many requests at once.

Every request ends: with an answer, or with an error that says what became of it.
aiohttp speaks no HTTP/2, and the push clients there are wait for ever on an answer
without a body, a reset stream or a GOAWAY.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

_READ_BYTES = 65536
# An answer's body is a reason of some words.
_MOST_BODY = 4096
_PONG_SECONDS = 2.0
_GOODBYE_SECONDS = 1.0

Headers = Sequence[tuple[str, str]]


class ConnectionLost(Exception):
    """The connection has ended: what was under way has an unknown outcome."""


class StreamFailed(Exception):
    """The server reset this one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response; `body` has its first 4 kB, `retry_after` is in seconds."""

    status: int
    retry_after: float | None
    body: bytes


@dataclass(slots=True, eq=False)
class _Waiting:
    done: asyncio.Future[Answer]
    status: int = 0
    retry_after: float | None = None
    body: bytes = b""


class Http2Connection:
    """Open with `Http2Connection.open`, end with `close`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self.n_answers = 0
        self._reader = reader
        self._writer = writer
        self._host = host
        self._h2 = H2Connection(H2Configuration(header_encoding=None))
        self._waiting: dict[int, _Waiting] = {}
        self._lost: ConnectionLost | None = None
        # Set: settings came · there may be room · is it still alive? · it is
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._doubt = asyncio.Event()
        self._pong = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls, url: str, context: ssl.SSLContext, *, ping_every: float
    ) -> Self:
        """Connect to scheme, host and port of `url`, and wait for the first SETTINGS.

        They say how many streams are allowed, and that our certificate was taken (in
        TLS 1.3 after the handshake). A quiet line is tested every `ping_every` seconds.
        Raises OSError (ssl.SSLError is one) or ConnectionLost.
        """
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        reader, writer = await asyncio.open_connection(
            parts.hostname,
            parts.port or (443 if is_tls else 80),
            ssl=context if is_tls else None,
        )
        found = cls(reader, writer, parts.netloc)
        try:
            await found._start(ping_every)
        except BaseException:
            await found.close()
            raise
        return found

    @property
    def is_open(self) -> bool:
        """May requests be made?"""
        return self._lost is None

    async def request(
        self,
        path: str,
        headers: Headers,
        body: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 -- what is late must be reset on the wire, too
    ) -> Answer:
        """POST, and wait at most `timeout` seconds for the end of the answer.

        Raises TimeoutError, StreamFailed or ConnectionLost.
        """
        stream = 0
        try:
            async with asyncio.timeout(timeout):
                await self._wait_for_room(len(body))
                stream = self._send(path, headers, body)
                await self._writer.drain()
                return await self._waiting[stream].done
        except TimeoutError:
            self._doubt.set()
            raise
        except OSError as error:
            raise self._lose(error) from None
        finally:
            self._forget(stream)

    async def close(self) -> None:
        """Say goodbye and let go of the line."""
        if self.is_open:
            with suppress(ProtocolError):
                self._h2.close_connection()
            self._flush()
            self._settle(ConnectionLost("closed"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _start(self, ping_every: float) -> None:
        tls = self._writer.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            raise ConnectionLost("the server speaks no HTTP/2")
        self._h2.initiate_connection()
        self._flush()
        self._tasks.append(asyncio.create_task(self._read()))
        await self._ready.wait()
        if self._lost is not None:
            raise self._lost.__cause__ or self._lost
        self._tasks.append(asyncio.create_task(self._watch(ping_every)))

    async def _read(self) -> None:
        error: Exception = ConnectionLost("closed by the server")
        try:
            while data := await self._reader.read(_READ_BYTES):
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()
        except Exception as found:  # noqa: BLE001 -- whatever it was, nobody may go on waiting for an answer
            error = found
        self._lose(error)

    async def _watch(self, ping_every: float) -> None:
        """Test the line when it is quiet, or when a request ended in doubt."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ping_every):
                    await self._doubt.wait()
            if not self.is_open:
                return
            self._doubt.clear()
            self._pong.clear()
            self._h2.ping(b"stampcrd")
            self._flush()
            try:
                async with asyncio.timeout(_PONG_SECONDS):
                    await self._pong.wait()
            except TimeoutError:
                self._lose(ConnectionLost("the line is dead"))

    def _take(self, event: Event) -> None:
        stream = getattr(event, "stream_id", None) or 0
        waiting = self._waiting.get(stream)
        match event:
            case RemoteSettingsChanged():
                self._ready.set()
                self._room.set()
            case WindowUpdated():
                self._room.set()
            case PingAckReceived():
                self._pong.set()
            case ConnectionTerminated(error_code=code):
                self._lose(ConnectionLost(f"GOAWAY {code!s}"))
            case ResponseReceived(headers=headers) if waiting:
                found = dict(headers or [])
                waiting.status = int(found.get(b":status", b"0"))
                wait = bytes(found.get(b"retry-after", b""))
                waiting.retry_after = float(wait) if wait.isdigit() else None
            case DataReceived(data=data, flow_controlled_length=length):
                if waiting:
                    waiting.body = (waiting.body + (data or b""))[:_MOST_BODY]
                self._h2.acknowledge_received_data(length or 0, stream)
            case StreamEnded() if waiting:
                self._answer(waiting)
            case StreamReset(error_code=code) if waiting and not waiting.done.done():
                waiting.done.set_exception(StreamFailed(f"reset: {code!s}"))

    def _answer(self, waiting: _Waiting) -> None:
        self.n_answers += 1
        if not waiting.done.done():
            answer = Answer(
                status=waiting.status,
                retry_after=waiting.retry_after,
                body=waiting.body,
            )
            waiting.done.set_result(answer)

    async def _wait_for_room(self, size: int) -> None:
        while self._lost is None:
            limit = self._h2.remote_settings.max_concurrent_streams
            window = self._h2.outbound_flow_control_window
            if len(self._waiting) < limit and window >= size:
                return
            self._room.clear()
            await self._room.wait()
        raise ConnectionLost(str(self._lost))

    def _send(self, path: str, headers: Headers, body: bytes) -> int:
        first = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", self._host),
            (":path", path),
        ]
        try:
            stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream, [*first, *headers])
            self._h2.send_data(stream, body, end_stream=True)
        except ProtocolError as error:
            # No number is left, or no window: a new connection has both.
            raise self._lose(error) from None
        self._waiting[stream] = _Waiting(asyncio.get_running_loop().create_future())
        self._flush()
        return stream

    def _forget(self, stream: int) -> None:
        waiting = self._waiting.pop(stream, None)
        self._room.set()
        if waiting is not None and not waiting.done.cancelled() and waiting.done.done():
            waiting.done.exception()  # seen, also where something else ended it first
        elif waiting is not None and self.is_open:
            with suppress(ProtocolError):
                self._h2.reset_stream(stream, ErrorCodes.CANCEL)
            self._flush()

    def _lose(self, error: Exception) -> ConnectionLost:
        """The connection is over, by `error`; what to raise for it."""
        why = error
        if not isinstance(why, ConnectionLost):
            why = ConnectionLost(f"{type(error).__name__}: {error}")
            why.__cause__ = error
        self._settle(why)
        self._writer.transport.abort()
        return why

    def _settle(self, why: ConnectionLost) -> None:
        if self._lost is not None:
            return
        self._lost = why
        for waiting in self._waiting.values():
            if not waiting.done.done():
                waiting.done.set_exception(ConnectionLost(str(why)))
        for event in (self._ready, self._room, self._doubt):
            event.set()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._writer.transport.is_closing():
            self._writer.write(data)
