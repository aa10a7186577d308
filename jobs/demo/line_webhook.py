"""LINE calling the service: signed webhooks, and the calls that set and test them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp import web

from jobs.demo.line_calls import CHANNEL, WORLD, refuse
from jobs.demo.line_events import envelope, signature
from jobs.demo.line_world import Channel, LineWorld, Webhook

# LINE gives a webhook two seconds.
# https://developers.line.biz/en/docs/partner-docs/development-guidelines/
DEADLINE = 2.0
_LONGEST_URL = 500

routes = web.RouteTableDef()


class Postman:
    """Sends webhooks from the platform and notes how each was taken."""

    def __init__(self, world: LineWorld, deadline: float) -> None:
        self._world = world
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=deadline),
            headers={"User-Agent": "LineBotWebhook/2.0"},
        )

    async def deliver(
        self,
        channel: Channel,
        events: Sequence[dict[str, Any]],
        url: str = "",
    ) -> Webhook:
        """POST `events` to the channel's webhook (or `url`) and say what came back."""
        body = envelope(channel.bot_user_id, events)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "x-line-signature": signature(channel.secret, body),
        }
        started = asyncio.get_running_loop().time()
        status, detail = 0, ""
        try:
            async with self._session.post(
                url or channel.webhook_url,
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except TimeoutError:
            detail = "REQUEST_TIMEOUT"
        except (aiohttp.ClientError, OSError):
            detail = "COULD_NOT_CONNECT"
        done = Webhook(
            channel_id=channel.channel_id,
            events=tuple(events),
            status=status,
            seconds=asyncio.get_running_loop().time() - started,
            detail=detail,
        )
        self._world.webhooks.append(done)
        self._world.bell.ring()
        return done

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()


POSTMAN = web.AppKey("POSTMAN", Postman)


@routes.get("/v2/bot/channel/webhook/endpoint")
async def load_endpoint(request: web.Request) -> web.Response:
    """Where webhooks go; 404 while that was never set."""
    channel = request[CHANNEL]
    if not channel.webhook_url:
        return refuse(404, "Webhook endpoint not found")
    return web.json_response(
        {"endpoint": channel.webhook_url, "active": channel.uses_webhook}
    )


@routes.put("/v2/bot/channel/webhook/endpoint")
async def set_endpoint(request: web.Request) -> web.Response:
    """Send webhooks there from now on. Plain http is taken on loopback only."""
    url = str((await request.json()).get("endpoint", ""))
    local = ("http://127.0.0.1", "http://localhost", "http://[::1]")
    if not url.startswith(("https://", *local)) or len(url) > _LONGEST_URL:
        return refuse(400, "Invalid webhook endpoint URL")
    request[CHANNEL].webhook_url = url
    return web.json_response({})


@routes.post("/v2/bot/channel/webhook/test")
async def test_endpoint(request: web.Request) -> web.Response:
    """Call the webhook with no events and tell how that went."""
    text = await request.text()
    url = str(json.loads(text).get("endpoint", "")) if text else ""
    channel = request[CHANNEL]
    if not url and not channel.webhook_url:
        return refuse(404, "Webhook endpoint not found")
    done = await request.app[POSTMAN].deliver(channel, [], url)
    is_good = done.status == 200  # noqa: PLR2004 -- HTTP's OK
    reason = "OK" if is_good else done.detail or "ERROR_STATUS_CODE"
    now = request.app[WORLD].clock.now()
    return web.json_response(
        {
            "success": is_good,
            "timestamp": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "statusCode": done.status,
            "reason": reason,
            "detail": str(done.status or reason),
        }
    )
