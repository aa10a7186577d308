"""Connecting a LINE channel with nothing but its id and secret, and looking after it.

What LINE has no API for (redelivery, greeting message, auto-reply) stays with the
merchant: https://developers.line.biz/en/docs/messaging-api/building-bot/
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

import aiohttp

from bot.access import ChannelKey
from bot.line_api import BotInfo, LineApi
from core.errors import DeliveryError, Invalid

Problem = Literal["", "refused", "away"]

_ENDPOINT = "/v2/bot/channel/webhook/endpoint"
_TEST = "/v2/bot/channel/webhook/test"
# Where the stand-in of LINE is, which has no certificate.
_THIS_MACHINE = ("http://127.0.0.1:", "http://localhost:")
# A page is waiting.
_LOOK_SECONDS = 4.0

# LINE's reasons, and two of ours: it did not take the address; it could not be asked.
REASONS = (
    "OK",
    "COULD_NOT_CONNECT",
    "REQUEST_TIMEOUT",
    "ERROR_STATUS_CODE",
    "UNCLASSIFIED",
    "NOT_TAKEN",
    "NOT_ASKED",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest:
    """How LINE's call of our webhook went. `status` is what it was answered, 0: none.

    `reason` is one of `REASONS`; "OK" is good.
    """

    reason: str
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What LINE says of a channel now. Without `info`, `problem` says why.

    `endpoint` is where its webhooks go ("": nowhere yet), `is_active` whether "Use
    webhook" is on.
    """

    info: BotInfo | None = None
    endpoint: str = ""
    is_active: bool = False
    problem: Problem = ""


async def introduce(api: LineApi, key: ChannelKey) -> BotInfo:
    """Get a token and ask who the channel is. Raises `Invalid`, field by field."""
    try:
        return await api.bot_info(key)
    except DeliveryError as error:
        if error.halts:
            raise Invalid({"secret": ("line_setup.invalid.refused", {})}) from error
        raise Invalid({"channel_id": ("line_setup.invalid.away", {})}) from error


async def point_webhook(api: LineApi, key: ChannelKey, url: str) -> WebhookTest:
    """Have webhooks sent to `url`, and have LINE call it once. Never raises.

    The address counts within a minute, so the test names it itself:
    https://developers.line.biz/en/reference/messaging-api/#test-webhook-endpoint
    """
    try:
        told = await api.ask(key, "PUT", _ENDPOINT, body={"endpoint": url})
        if told.status == HTTPStatus.BAD_REQUEST:
            return WebhookTest(reason="NOT_TAKEN")
        told.check(_ENDPOINT)
        tried = await api.ask(key, "POST", _TEST, body={"endpoint": url})
        tried.check(_TEST)
    except DeliveryError:
        return WebhookTest(reason="NOT_ASKED")
    reason, status = tried.text("reason"), tried.data.get("statusCode")
    return WebhookTest(
        reason=reason if reason in REASONS else "UNCLASSIFIED",
        status=status if isinstance(status, int) else 0,
    )


async def fetch_picture(info: BotInfo, *, most_bytes: int) -> bytes | None:
    """The account's picture as LINE's servers have it; None where it cannot be had.

    The page shows a copy of ours: browsers of the settings ask no other site.
    """
    if not info.picture_url.startswith(("https://", *_THIS_MACHINE)):
        return None
    timeout = aiohttp.ClientTimeout(total=_LOOK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(trust_env=True, timeout=timeout) as session,
            session.get(info.picture_url, allow_redirects=False) as answer,
        ):
            if answer.status != HTTPStatus.OK:
                return None
            content = bytearray()
            async for part in answer.content.iter_any():
                content += part
                if len(content) > most_bytes:
                    return None
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


async def look_at(api: LineApi, key: ChannelKey) -> Seen:
    """Ask LINE for what it knows of the channel; within seconds, and never raises."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            info = await api.bot_info(key)
            said = await api.ask(key, "GET", _ENDPOINT)
            if said.status != HTTPStatus.NOT_FOUND:
                said.check(_ENDPOINT)
    except DeliveryError as error:
        return Seen(problem="refused" if error.halts else "away")
    except TimeoutError:
        return Seen(problem="away")
    return Seen(
        info=info,
        endpoint=said.text("endpoint"),
        is_active=isinstance(said.data, dict) and said.data.get("active") is True,
    )
