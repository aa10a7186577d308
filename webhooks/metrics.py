"""Figures for Prometheus, in a registry of our own.

Labels have few values by construction: an outcome is one of `Why`, a route is its
template, never the path that somebody typed.
"""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from core.rules.asking import Granted, Refused
from core.rules.types import How

# A webhook must answer within 2 s, a till within what a queue bears.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
_WEBHOOKS = {
    "/line/{merchant}": "line",
    "/google/{merchant}": "google",
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Metrics:
    """All figures of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._stamps = Counter(
            "stampcard_stamps",
            "Asks for stamps by where they came from and how they ended",
            ["how", "outcome"],
            registry=self._registry,
        )
        self._webhooks = Counter(
            "stampcard_webhook_requests",
            "Calls by LINE, Apple and Google",
            ["platform", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "stampcard_request_seconds",
            "How long requests took, by the template of their path",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._outbox = Gauge(
            "stampcard_outbox_behind",
            "Topics whose newest state has not been delivered",
            registry=self._registry,
        )
        self._inbox = Gauge(
            "stampcard_inbox_waiting",
            "LINE events that wait for their answer",
            registry=self._registry,
        )

    def stamps(self, how: How, outcome: Granted | Refused) -> None:
        """Somebody asked for stamps."""
        word = "granted" if isinstance(outcome, Granted) else outcome.why.value
        self._stamps.labels(how, word).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is a template such as /c/{code}."""
        method = method if method in _METHODS else "other"
        self._seconds.labels(method, route, f"{status // 100}xx").observe(seconds)
        platform = _WEBHOOKS.get(route) or ("apple" if _is_apple(route) else None)
        if platform is not None:
            self._webhooks.labels(platform, str(status)).inc()

    def queues(self, *, outbox_behind: int, inbox_waiting: int) -> None:
        """How much waits at this moment, in all processes."""
        self._outbox.set(outbox_behind)
        self._inbox.set(inbox_waiting)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


METRICS = web.AppKey("metrics", Metrics)


def count_stamps(request: web.Request, how: How, outcome: Granted | Refused) -> None:
    """Count what a handler got from `grant_stamps`."""
    metrics = request.config_dict.get(METRICS)
    if metrics is not None:
        metrics.stamps(how, outcome)


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware, the outermost: how long each request took and how it ended."""
    metrics = request.config_dict.get(METRICS)
    if metrics is None:
        return await handler(request)
    started, status = time.perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        metrics.request(request.method, route, status, time.perf_counter() - started)


def _is_apple(route: str) -> bool:
    return route.startswith("/apple/")
