"""Failures to order from the Google stand-in, so that a test sees each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

# How often a silent connection is looked at: has the caller gone?
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Fault:
    """One ordered failure, for the next `times` requests whose path begins so.

    `hangs`: the request is taken, and nothing is ever said to it.
    """

    status: int | None
    reason: str
    times: int
    path: str
    after_commit: bool
    hangs: bool = False


class Faults:
    """What shall go wrong. `latency` (seconds) goes before each answer of the API;
    while `down`, every connection is cut. `mood` gives what goes wrong with a request,
    where nothing was ordered.
    """

    def __init__(self) -> None:
        self.latency = 0.0
        self.down = False
        self.mood: Callable[[], Fault | None] = lambda: None
        self._ordered: list[Fault] = []

    def fail_next(
        self,
        status: int | None,
        reason: str = "",
        *,
        times: int = 1,
        path: str = "/walletobjects/",
        after_commit: bool = False,
        hangs: bool = False,
    ) -> None:
        """The next `times` requests below `path` get `status`; None: are cut off.

        With `after_commit` the change is made and only its answer is lost.
        """
        fault = Fault(status, reason, times, path, after_commit, hangs)
        self._ordered.append(fault)

    async def play(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request by its handler, or by what was ordered."""
        if self.down:
            return _cut(request)
        fault = self._take(request.path)
        if self.latency and request.path.startswith("/walletobjects/"):
            await asyncio.sleep(self.latency)
        if fault is None:
            return await handler(request)
        if fault.after_commit:
            await handler(request)
        if fault.hangs:
            await _caller_gone(request)
        return _cut(request) if fault.status is None else _say(fault)

    def _take(self, path: str) -> Fault | None:
        for fault in self._ordered:
            if path.startswith(fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._ordered.remove(fault)
                return fault
        return self.mood()


async def _caller_gone(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 -- aiohttp rings no bell here
        await asyncio.sleep(_LOOK_SECONDS)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _say(fault: Fault) -> web.Response:
    message = f"Ordered: {fault.status}"
    error = {
        "message": message,
        "domain": "walletobjects",
        "reason": fault.reason or "backendError",
    }
    body = {"error": {"code": fault.status, "message": message, "errors": [error]}}
    return web.json_response(body, status=fault.status or 500)
