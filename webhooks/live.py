"""Pages that change by themselves: server-sent events from the state of the database.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from core.signals import Watch
from webhooks.keys import DB
from webhooks.sessions import is_still_here

# Changes of other processes are not signalled here, so the state is read each second.
LOOK_SECONDS = 1.0
# Proxies close what stays silent for longer.
HEARTBEAT_SECONDS = 15.0
# A page that nobody closes comes back by itself; a connection for ever it is not.
LONGEST_SECONDS = 600.0
RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams that are open, so that a stop need not wait for them."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)


STREAMS = web.AppKey("streams", Streams)

log = structlog.get_logger()


def set_up_live(app: web.Application) -> None:
    """Let open streams end when the server stops."""
    app[STREAMS] = Streams()
    app.on_shutdown.append(end_streams)


async def end_streams(app: web.Application) -> None:
    """Signal `on_shutdown`: end every open stream; browsers come back later."""
    streams = list(app[STREAMS].tasks)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def event_stream(
    request: web.Request,
    topics: Collection[str],
    load: Callable[[], Awaitable[str | None]],
) -> web.StreamResponse:
    """Send what `load` gives, now and whenever it is something else.

    Ends when `load` gives None (after an event "end", so that the browser stays away),
    when whoever reads is signed out, when they go, and when the server stops. What
    `load` raises at first is raised here, while it can still be answered.
    """

    async def load_here() -> str | None:
        return await load() if await is_still_here(request) else None

    with request.config_dict[DB].watch(topics) as watch:
        first = await load_here()
        if first is None:
            # To a browser this says: do not come back.
            return web.Response(status=204)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                # nginx would otherwise hold events back until its buffer is full.
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        task = asyncio.create_task(_send_changes(response, watch, load_here, first))
        streams = request.config_dict.get(STREAMS)
        if streams is not None:
            streams.tasks.add(task)
            task.add_done_callback(streams.tasks.discard)
        try:
            await task
        except ClientConnectionResetError:
            pass
        except asyncio.CancelledError:
            task.cancel()
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
        except Exception:
            # The headers are out: no error page could follow them.
            log.exception("stream_failed")
    return response


async def _send_changes(
    response: web.StreamResponse,
    watch: Watch,
    load: Callable[[], Awaitable[str | None]],
    first: str,
) -> None:
    loop = asyncio.get_running_loop()
    started = heard = loop.time()
    last, state = "", first
    await response.write(f"retry: {RETRY_MS}\n\n".encode())
    while loop.time() - started < LONGEST_SECONDS:
        if state != last:
            await response.write(_event(state))
            last, heard = state, loop.time()
        elif loop.time() - heard >= HEARTBEAT_SECONDS:
            await response.write(b": still here\n\n")
            heard = loop.time()
        await watch.wait(LOOK_SECONDS)
        fresh = await load()
        if fresh is None:
            await response.write(b"event: end\ndata:\n\n")
            return
        state = fresh


def _event(text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"{lines}\n".encode()
