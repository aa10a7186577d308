"""Google Wallet's callbacks: a pass was saved on a phone, or removed from it.

https://developers.google.com/wallet/retail/loyalty-cards/use-cases/use-callbacks-for-saves-and-deletions
"""

from __future__ import annotations

from datetime import datetime

import structlog
from aiohttp import web

from core.actions.channels import google_credentials
from core.actions.merchants import find_merchant
from core.actions.passes import PassView, load_pass, mark_installed
from core.database import Tx
from core.errors import DeliveryError, NotFound
from core.rules.types import Merchant
from passes.google.callback import BadCallback, PassEvent
from passes.google.objects import class_id, pass_of
from webhooks.keys import CLOCK, DB, GOOGLE

# A callback has about 1 kB.
MAX_BODY = 16 * 1024

routes = web.RouteTableDef()
log = structlog.get_logger()


@routes.post("/google/{merchant}")
async def receive(request: web.Request) -> web.Response:
    """200 when the event is kept (again, too), 4xx with the reason when it is not."""
    parts = request.config_dict
    try:
        merchant = await parts[DB].read(find_merchant, request.match_info["merchant"])
    except NotFound:
        return _refuse(404, "no such merchant")
    raw = await _read_body(request)
    if raw is None:
        return _refuse(413, "too long")
    try:
        event = await parts[GOOGLE].read_callback(merchant.id, raw)
    except DeliveryError as error:
        log.warning("google_callback_unverified", error=str(error))
        return _refuse(503, "cannot verify at the moment")
    if isinstance(event, BadCallback):
        log.warning("google_callback_refused", merchant=merchant.key, why=event.why)
        return _refuse(400, event.why)
    return await _keep(request, merchant, event)


async def _keep(
    request: web.Request, merchant: Merchant, event: PassEvent
) -> web.Response:
    parts = request.config_dict
    heard = parts[GOOGLE].heard
    if not heard.is_news(event):
        return web.Response()
    now = parts[CLOCK].now()
    view = await parts[DB].read(_find_pass, merchant, event, now)
    if view is None:
        return _refuse(404, "no such pass")
    installed = event.kind == "save"
    await parts[DB].write(mark_installed, view.held.id, installed=installed, now=now)
    heard.add(event)
    if installed:
        parts[GOOGLE].refresh_soon(view.held, view.face, now)
    log.info("google_pass_event", kind=event.kind, pass_id=view.held.id)
    return web.Response()


def _find_pass(
    tx: Tx, merchant: Merchant, event: PassEvent, now: datetime
) -> PassView | None:
    # One issuer may serve several merchants: Google's signature alone does not say
    # whose pass it is.
    credentials = google_credentials(tx, merchant.id)
    if credentials is None:
        return None
    issuer_id = credentials.issuer_id
    pass_id = pass_of(issuer_id, event.object_id)
    view = None if pass_id is None else load_pass(tx, pass_id, now)
    if view is None or view.held.merchant_id != merchant.id:
        return None
    if event.class_id != class_id(issuer_id, view.face.program_id):
        return None
    return view


async def _read_body(request: web.Request) -> bytes | None:
    raw = bytearray()
    async for part in request.content.iter_any():
        raw += part
        if len(raw) > MAX_BODY:
            return None
    return bytes(raw)


def _refuse(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
