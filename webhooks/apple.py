"""Apple's PassKit web service: phones register for passes and fetch them again.

https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from aiohttp import hdrs, web

from core.actions.channels import apple_credentials
from core.actions.passes import (
    PassView,
    changed_passes,
    load_pass,
    register_device,
    unregister_device,
)
from core.database import Tx
from core.errors import DeliveryError, NotFound
from core.rules.types import PassId
from passes.apple.device_log import read_lines
from passes.apple.issuer import CONTENT_TYPE
from webhooks.fetched import FETCH_NOTES
from webhooks.keys import APPLE, CLOCK, DB
from webhooks.limits import TryLimit, client_ip, limit_key

_PASSES = "/apple/v1/passes/{pass_type}/{serial}"
_DEVICE = "/apple/v1/devices/{device}/registrations/{pass_type}"

MAX_BODY = 16 * 1024
# A change may be committed this long after its time was read: phones ask again from
# before it, and get 304 for what they have.
MARGIN_SECONDS = 60
_RETRY_SECONDS = "60"

# What goes to the database and into an APNs path, as Apple writes it.
_ID = re.compile(r"[0-9A-Za-z._-]{1,128}")
_SERIAL = re.compile(r"[0-9A-Za-z-]{1,64}")
_PUSH_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,200}")
_TAG = re.compile(r"[0-9]{1,15}")

_logs = TryLimit(burst=20, seconds=10)

routes = web.RouteTableDef()
log = structlog.get_logger()


class _Asked(NamedTuple):
    """The pass of a path, whose secret came with it."""

    serial: PassId
    pass_type: str


@routes.post(_DEVICE + "/{serial}")
async def register(request: web.Request) -> web.Response:
    """201 for a new registration; 200 for one that is renewed, with its token."""
    asked = _authentic(request)
    if asked is None:
        return _unauthorized()
    device = _device(request)
    push_token = _push_token(await _json(request))
    if device is None or push_token is None:
        return web.Response(status=400)
    parts = request.config_dict
    now = parts[CLOCK].now()
    is_new = await parts[DB].write(_register, asked, device, push_token, now)
    if is_new is None:
        return _unauthorized()
    return web.Response(status=201 if is_new else 200)


@routes.delete(_DEVICE + "/{serial}")
async def unregister(request: web.Request) -> web.Response:
    """200: the phone is pushed to no more for this pass, if it ever was."""
    asked = _authentic(request)
    if asked is None:
        return _unauthorized()
    device = _device(request)
    if device is None:
        return web.Response(status=400)
    parts = request.config_dict
    now = parts[CLOCK].now()
    is_done = await parts[DB].write(_unregister, asked, device, now)
    return web.Response() if is_done else _unauthorized()


@routes.get(_DEVICE)
async def changed(request: web.Request) -> web.Response:
    """The serial numbers of a phone's passes that changed since its tag; else 204.

    Apple gives no password here: the device's id is the secret.
    """
    device, pass_type = _device(request), request.match_info["pass_type"]
    if device is None or not _ID.fullmatch(pass_type):
        return web.Response(status=400)
    parts = request.config_dict
    now_ms = int(parts[CLOCK].now().timestamp() * 1000)
    tag = _tag(request.query.get("passesUpdatedSince", ""), now_ms)
    since = None if tag is None else tag // 1000 - MARGIN_SECONDS
    serials = await parts[DB].read(changed_passes, pass_type, device, since)
    if not serials:
        return web.Response(status=204)
    # A tag that stays the same beside serial numbers is an error to phones.
    newer = now_ms if tag is None else max(now_ms, tag + 1)
    return web.json_response({"serialNumbers": serials, "lastUpdated": str(newer)})


@routes.get(_PASSES)
async def latest(request: web.Request) -> web.Response:
    """The pass as it is now, or 304 when the phone has it already."""
    asked = _authentic(request)
    if asked is None:
        return _unauthorized()
    parts = request.config_dict
    now = parts[CLOCK].now()
    view = await parts[DB].read(_find, asked, now)
    if view is None:
        return _unauthorized()
    changed_at = datetime.fromtimestamp(view.held.changed_at, UTC)
    known = request.if_modified_since
    if known is not None and known >= changed_at:
        response = web.Response(status=304)
    else:
        try:
            body = await parts[APPLE].build(view.held, view.face, now)
        except DeliveryError as error:
            log.warning("apple_pass_not_built", pass_id=asked.serial, error=str(error))
            return web.Response(status=503, headers={"Retry-After": _RETRY_SECONDS})
        response = web.Response(body=body, content_type=CONTENT_TYPE)
    response.last_modified = changed_at
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method == hdrs.METH_GET:
        parts[FETCH_NOTES].note(view.held)
    return response


@routes.post("/apple/v1/log")
async def note_problems(request: web.Request) -> web.Response:
    """What went wrong on phones. Anybody may write here, so only a little is kept."""
    body = await _json(request)
    parts = request.config_dict
    now, sender = parts[CLOCK].now(), limit_key(client_ip(request))
    lines = body.get("logs") if isinstance(body, dict) else None
    if not isinstance(lines, list):
        return web.Response(status=400)
    if _logs.take(sender, now) == 0:
        for problem in read_lines(lines):
            log.warning("apple_device_problem", **problem)
    return web.Response()


def _authentic(request: web.Request) -> _Asked | None:
    """The pass that the path names, if its secret is in the Authorization header."""
    serial, pass_type = (request.match_info[n] for n in ("serial", "pass_type"))
    if not _SERIAL.fullmatch(serial) or not _ID.fullmatch(pass_type):
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    asked = _Asked(PassId(serial), pass_type)
    is_right = request.config_dict[APPLE].is_token(asked.serial, token.strip())
    return asked if is_right and scheme.lower() == "applepass" else None


def _find(tx: Tx, asked: _Asked, now: datetime) -> PassView | None:
    """The pass, unless it or its card is gone, or it is of another type."""
    try:
        view = load_pass(tx, asked.serial, now)
    except NotFound:
        return None
    if view is None or view.held.issuer != "apple":
        return None
    entered = apple_credentials(tx, view.held.merchant_id)
    return view if entered and entered.pass_type_id == asked.pass_type else None


def _register(
    tx: Tx, asked: _Asked, device: str, push_token: str, now: datetime
) -> bool | None:
    if _find(tx, asked, now) is None:
        return None
    return register_device(tx, asked.serial, device, push_token, now)


def _unregister(tx: Tx, asked: _Asked, device: str, now: datetime) -> bool:
    if _find(tx, asked, now) is None:
        return False
    unregister_device(tx, asked.serial, device, now)
    return True


def _device(request: web.Request) -> str | None:
    device = request.match_info["device"]
    return device if _ID.fullmatch(device) else None


def _push_token(body: Any) -> str | None:
    token = body.get("pushToken") if isinstance(body, dict) else None
    if isinstance(token, str) and _PUSH_TOKEN.fullmatch(token):
        return token
    return None


def _tag(text: str, now_ms: int) -> int | None:
    """The tag that a phone got last, in milliseconds; None when it is not ours.

    One from the future would hide every change until then: a clock was wrong.
    """
    if not _TAG.fullmatch(text):
        return None
    tag = int(text)
    return tag if tag <= now_ms + MARGIN_SECONDS * 1000 else None


async def _json(request: web.Request) -> Any:
    """The body, None when it is no JSON. Raises HTTPRequestEntityTooLarge."""
    raw = bytearray()
    async for part in request.content.iter_any():
        raw += part
        if len(raw) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(raw))
    try:
        return json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return None


def _unauthorized() -> web.Response:
    # The same for a wrong secret, an unknown pass and a wrong pass type.
    return web.Response(status=401)
