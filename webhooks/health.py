"""Is this process alive, can it stamp, and its figures."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from weakref import WeakKeyDictionary

import structlog
from aiohttp import web

from core.actions.probes import (
    count_inbox_waiting,
    count_outbox_behind,
    newest_revision,
    stored_revision,
    write_probe,
)
from core.clock import Clock
from core.database import Database, Tx
from core.vault import same
from webhooks.keys import CLOCK, DB, SETTINGS
from webhooks.metrics import METRICS

# Whoever asks more often gets the last answer: a probe costs a disk write.
FRESH_SECONDS = 1.0
PROBE_SECONDS = 5.0

routes = web.RouteTableDef()
log = structlog.get_logger()


@routes.get("/healthz")
async def alive(request: web.Request) -> web.Response:
    """200 while the event loop turns."""
    del request
    return _words("alive")


@routes.get("/readyz")
async def ready(request: web.Request) -> web.Response:
    """200 when a stamp could be given now, else 503."""
    parts = request.config_dict
    readiness = _READINESS.setdefault(parts[DB], _Readiness())
    is_ready = await readiness.ask(parts[DB], parts[CLOCK])
    return _words("ready") if is_ready else _words("not ready", 503)


@routes.get("/metrics")
async def figures(request: web.Request) -> web.Response:
    """Prometheus' text format, for the bearer of the token; else nothing is here."""
    parts = request.config_dict
    token = parts[SETTINGS].metrics_token.get_secret_value()
    metrics = parts.get(METRICS)
    if not token or metrics is None:
        raise web.HTTPNotFound
    if not same(request.headers.get("Authorization", ""), f"Bearer {token}"):
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    behind, waiting = await parts[DB].read(_queues)
    metrics.queues(outbox_behind=behind, inbox_waiting=waiting)
    return web.Response(
        body=metrics.text(),
        headers={
            "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
            "Cache-Control": "no-store",
        },
    )


class _Readiness:
    """The last answer of one database, and how old it is."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._is_ready = False

    async def ask(self, db: Database, clock: Clock) -> bool:
        """Can it be written, read, and is it at this program's revision?"""
        async with self._lock:
            if time.monotonic() - self._asked_at < FRESH_SECONDS:
                return self._is_ready
            was_ready, self._is_ready = self._is_ready, await _probe(db, clock)
            self._asked_at = time.monotonic()
            if self._is_ready != was_ready:
                log.info("readiness_changed", is_ready=self._is_ready)
            return self._is_ready


_READINESS: WeakKeyDictionary[Database, _Readiness] = WeakKeyDictionary()


async def _probe(db: Database, clock: Clock) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await db.write(write_probe, clock.now())
            stored = await db.read(stored_revision)
            return stored == await asyncio.to_thread(_expected)
    except Exception as error:  # noqa: BLE001 -- whatever it was, no stamp can be given
        log.warning("not_ready", error=type(error).__name__)
        return False


@cache
def _expected() -> str:
    return newest_revision()


def _queues(tx: Tx) -> tuple[int, int]:
    return count_outbox_behind(tx), count_inbox_waiting(tx)


def _words(text: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=f"{text}\n", status=status, headers=headers)
