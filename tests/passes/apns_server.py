"""A push server that misbehaves as told: HTTP/2 without TLS, one script a connection.

The stand-in of the demo answers as Apple documents it; here is what nobody documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes, Settings


class Talk:
    """The server's end of one connection; `asked` are streams without an answer."""

    def __init__(self, reader, writer, streams: int | None) -> None:
        self.reader, self.writer = reader, writer
        self.asked: dict[int, str] = {}
        self.cancelled: list[int] = []
        self.most_at_once = 0
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8")
        )
        if streams is not None:
            limit = {SettingCodes.MAX_CONCURRENT_STREAMS: streams}
            self.h2.local_settings = Settings(client=False, initial_values=limit)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def hear(self, pings: asyncio.Queue[Event] | None = None) -> list[int]:
        """Read once; the streams whose requests are complete now."""
        data = await self.reader.read(65536)
        if not data:
            raise ConnectionResetError
        ended = []
        for event in self.h2.receive_data(data):
            match event:
                case RequestReceived():
                    path = dict(event.headers)[":path"]
                    self.asked[event.stream_id] = path.rpartition("/")[2]
                case DataReceived():
                    self.h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                case StreamEnded():
                    ended.append(event.stream_id)
                case StreamReset():
                    self.cancelled.append(event.stream_id)
                    self.asked.pop(event.stream_id, None)
                case PingReceived() if pings is not None:
                    pings.put_nowait(event)
        self.most_at_once = max(self.most_at_once, len(self.asked))
        self.flush()
        return ended

    async def hear_requests(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            found += await self.hear()
        return found

    def answer(self, stream: int, status: int = 200, body: bytes = b"", **more) -> None:
        headers = [(":status", str(status)), *more.items()]
        self.h2.send_headers(stream, headers, end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        self.asked.pop(stream, None)
        self.flush()

    async def answer_all(self) -> None:
        """Be a good server until the client leaves."""
        while True:
            for stream in await self.hear():
                self.answer(stream)


Script = Callable[[Talk], Coroutine[Any, Any, None]]


class BadServer:
    """Plays `scripts` one after another, the last one for all further connections."""

    def __init__(self, scripts: tuple[Script, ...], streams: int | None) -> None:
        self.url = ""
        self.talks: list[Talk] = []
        self._scripts = scripts
        self._streams = streams

    async def serve(self, reader, writer) -> None:
        talk = Talk(reader, writer, self._streams)
        self.talks.append(talk)
        script = self._scripts[min(len(self.talks), len(self._scripts)) - 1]
        try:
            await script(talk)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def bad_server(
    *scripts: Script, streams: int | None = None
) -> AsyncIterator[BadServer]:
    found = BadServer(scripts, streams)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        for talk in found.talks:
            talk.writer.transport.abort()
        await server.wait_closed()
