"""The door of the LINE stand-in: faults first, then the access token, then the call."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from jobs.demo.line_calls import CHANNEL, REQUEST_ID, WORLD, refuse
from jobs.demo.line_world import Call, Channel, Fault, LineWorld

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Faults, then the access token, then the call; each call is noted."""
    world = request.app[WORLD]
    request[REQUEST_ID] = str(uuid.uuid4())
    fault = _fault(world, request.path)
    if world.down or (fault and fault.kind == "cut"):
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    if fault and fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault and fault.kind == "fail":
        answer: web.StreamResponse = web.json_response(
            fault.body or {"message": "fault"}, status=fault.status
        )
    else:
        answer = await _call(request, handler)
    if fault and fault.kind == "accept_then_fail":
        answer = web.json_response({"message": "Internal error"}, status=500)
    answer.headers["x-line-request-id"] = request[REQUEST_ID]
    world.calls.append(await _noted(request, answer.status))
    return answer


async def _call(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/v2/") and not _let_in(request):
        return refuse(
            401,
            "Authentication failed. Confirm that the access token in the authorization"
            " header is valid.",
        )
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return refuse(404, "Not found")
    except web.HTTPMethodNotAllowed:
        return refuse(405, "Method not allowed")
    except ValueError:
        return refuse(400, "The request body could not be parsed as JSON")


def _let_in(request: web.Request) -> bool:
    world = request.app[WORLD]
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    channel_id, good_until = world.access_tokens.get(token, ("", None))
    if kind != "Bearer" or good_until is None or world.clock.now() > good_until:
        return False
    request[CHANNEL] = world.channel(channel_id)
    return True


def _fault(world: LineWorld, path: str) -> Fault | None:
    for fault in world.faults:
        if path.startswith(fault.path):
            fault.times -= 1
            if fault.times <= 0:
                world.faults.remove(fault)
            return fault
    return None


async def _noted(request: web.Request, status: int) -> Call:
    channel: Channel | None = request.get(CHANNEL)
    body: Any = None
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            body = None
    return Call(
        method=request.method,
        path=request.path,
        status=status,
        request_id=request[REQUEST_ID],
        channel_id=channel.channel_id if channel else "",
        body=body,
    )
