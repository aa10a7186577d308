"""LINE's webhook: each event is kept, durably and once, before LINE hears 200.

LINE gives two seconds, so nothing is answered here; `bot.worker` does that.
https://developers.line.biz/en/docs/messaging-api/receiving-messages/
"""

from __future__ import annotations

from datetime import datetime

import structlog
from aiohttp import web

from bot.events import LineEvent, Webhook, read_webhook, reply_deadline
from bot.signature import is_signed
from core.actions.channels import LINE_SECRET, LineChannel, find_line_channel
from core.actions.inbox import NewEvent, keep_events
from core.errors import NotFound
from core.vault import Vault
from webhooks.keys import CLOCK, DB, VAULT
from webhooks.limits import client_ip

# LINE names no largest batch. https://developers.line.biz/en/reference/messaging-api/
MAX_BODY = 2**20

# What one INSERT may hold before a database's limit on parameters.
_EVENTS_AT_ONCE = 500

routes = web.RouteTableDef()
log = structlog.get_logger()


@routes.post("/line/{merchant}")
async def receive(request: web.Request) -> web.Response:
    """200 once every event is kept; 401 unsigned, 404 unknown, 413 too long, 400 odd.

    When the events cannot be stored the error goes through as 500, and LINE delivers
    them again.
    """
    parts = request.config_dict
    try:
        channel = await parts[DB].read(
            find_line_channel, request.match_info["merchant"]
        )
    except NotFound:
        return _answer(request, 404)
    body = await _read_body(request)
    if body is None:
        return _answer(request, 413)
    signature = request.headers.get("x-line-signature")
    now = parts[CLOCK].now()
    if not is_signed(body, signature, _secrets(channel, parts[VAULT], now)):
        return _answer(request, 401)
    try:
        webhook = read_webhook(body, now)
    except ValueError as error:
        return _answer(request, 400, problem=str(error)[:200])
    _check_destination(channel, webhook)
    n_new = await _keep(request, channel, webhook, now)
    return _answer(
        request, 200, n_events=len(webhook.events), n_new=n_new, n_odd=webhook.n_odd
    )


async def _keep(
    request: web.Request, channel: LineChannel, webhook: Webhook, now: datetime
) -> int:
    db, n_new = request.config_dict[DB], 0
    events = [_new_event(event, now) for event in webhook.events]
    for first in range(0, len(events), _EVENTS_AT_ONCE):
        some = events[first : first + _EVENTS_AT_ONCE]
        n_new += await db.write(keep_events, channel.merchant.id, some, now)
    return n_new


def _new_event(event: LineEvent, now: datetime) -> NewEvent:
    return NewEvent(
        event_id=event.id,
        person=event.person,
        happened_at=event.at,
        reply_deadline=reply_deadline(event, now),
        body=event.body,
    )


def _secrets(channel: LineChannel, vault: Vault, now: datetime) -> list[str]:
    sealed: list[str | None] = [channel.sealed_secret]
    if channel.has_previous(now):
        # What LINE sent before it was told of the new secret is on its way still.
        sealed.append(channel.sealed_previous_secret)
    return [vault.open(one, channel.merchant.id, LINE_SECRET) for one in sealed if one]


def _check_destination(channel: LineChannel, webhook: Webhook) -> None:
    # The signature says whose event it is; another bot's id means that the settings
    # page shows the wrong account, or that LINE has moved the channel.
    if channel.bot_user_id and webhook.destination != channel.bot_user_id:
        log.warning(
            "line_webhook_destination",
            merchant=channel.merchant.key,
            expected=channel.bot_user_id,
            destination=webhook.destination[:64],
        )


async def _read_body(request: web.Request) -> bytes | None:
    if (request.content_length or 0) > MAX_BODY:
        return None
    raw = bytearray()
    async for part in request.content.iter_any():
        raw += part
        if len(raw) > MAX_BODY:
            return None
    return bytes(raw)


def _answer(request: web.Request, status: int, **more: object) -> web.Response:
    # Sender, time, method, path and status of every webhook are ours to keep:
    # https://developers.line.biz/en/docs/messaging-api/development-guidelines/
    is_good = status == 200  # noqa: PLR2004 -- HTTP's OK
    (log.info if is_good else log.warning)(
        "line_webhook",
        ip=client_ip(request),
        method=request.method,
        path=request.path,
        status=status,
        **more,
    )
    return web.Response(status=status)
