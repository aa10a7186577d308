"""A shop's device as a till: made one by a link, and opened by the PIN of whoever is on
shift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog
from aiohttp import web

from core.actions.merchants import load_merchant
from core.actions.pins import PinRefused
from core.actions.shops import list_shops
from core.actions.team import list_team, name_of
from core.actions.tills import (
    Device,
    begin_shift,
    device_of_link,
    set_up_till,
)
from core.database import Tx
from core.rules.pins import LONGEST, SHORTEST, read_pin
from core.rules.types import Language, Merchant
from core.vault import hash_token, new_token
from core.wording import LANGUAGES
from webhooks.forms import local_path, read_fields, text_of
from webhooks.keys import CLOCK, DB, SETTINGS, VAULT
from webhooks.pages import language_of, render
from webhooks.sessions import (
    DEVICE_LASTS,
    current_device,
    current_session,
    device_cookie,
    remember,
    remember_device,
)

log = structlog.get_logger()

routes = web.RouteTableDef()

SHIFT = "/till/shift"
_LINK = "/till/device/{token:[0-9A-Za-z_-]{20,64}}"
_HOME = "/till/"
_SPOKEN = "till_lang"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a device stands, as its pages say it; `has_pins`: may anybody start?"""

    merchant: Merchant
    device: Device
    shop_name: str
    has_pins: bool


@routes.get(SHIFT)
async def ask_pin(request: web.Request) -> web.Response:
    """The PIN pad, also for who takes over from somebody."""
    if current_device(request) is None:
        # Where no device is known, people sign in by e-mail.
        back = local_path(request.query.get("next", ""), _HOME)
        target = f"/till/signin?next={quote(back, safe='')}"
        return web.Response(status=303, headers={"Location": target})
    return await _pad(request)


@routes.post(SHIFT)
async def take_shift(request: web.Request) -> web.Response:
    """Check the PIN; then on to where they wanted, what stands there untouched."""
    device = current_device(request)
    if device is None:
        return web.Response(status=303, headers={"Location": "/till/signin"})
    fields = await read_fields(request)
    pin = read_pin(text_of(fields, "pin"))
    if not SHORTEST <= len(pin) <= LONGEST:
        # No PIN is like that: nobody guessed, somebody slipped.
        return await _pad(request, "short", 422)
    parts = request.config_dict
    token, now = new_token(), parts[CLOCK].now()
    found = await parts[DB].write(
        begin_shift,
        device=device,
        pin_mac=parts[VAULT].pin_mac(device.merchant_id, pin),
        token_hash=hash_token(token),
        language=spoken_here(request),
        now=now,
    )
    if isinstance(found, PinRefused):
        if found.retry_at is None:
            return await _pad(request, "bad", 401)
        seconds = math.ceil((found.retry_at - now).total_seconds())
        log.warning("pins_closed", device=device.id, seconds=seconds)
        return await _pad(request, "wait", 429, seconds)
    settings = parts[SETTINGS]
    response = web.Response(status=303, headers={"Location": _next(request)})
    remember(response, settings, "till", token)
    remember_device(response, settings, request.cookies[device_cookie(settings)])
    return response


@routes.get(_LINK)
async def show_link(request: web.Request) -> web.Response:
    """Ask whether this browser is to be the device; looking uses nothing up."""
    parts = request.config_dict
    link_hash = hash_token(request.match_info["token"])
    now = parts[CLOCK].now()
    device = await parts[DB].read(device_of_link, link_hash, now)
    if device is None:
        return _link_over(request)
    place = await parts[DB].read(_place, device)
    # The same form sent twice makes the same sign-in: see `set_up_till`.
    context = {"place": place, "key": new_token(), "old": current_device(request)}
    return _door(request, "device.html", context)


@routes.post(_LINK)
async def open_link(request: web.Request) -> web.Response:
    """Make this browser the device, once; on to the PIN of who is on shift."""
    parts = request.config_dict
    link, settings = request.match_info["token"], parts[SETTINGS]
    key = text_of(await read_fields(request), "key")[:64] or new_token()
    token = parts[VAULT].token("till device", link, key)
    old = request.cookies.get(device_cookie(settings), "")
    device = await parts[DB].write(
        set_up_till,
        link_hash=hash_token(link),
        token_hash=hash_token(token),
        old_hash=hash_token(old) if old and old != token else None,
        now=parts[CLOCK].now(),
    )
    if device is None:
        return _link_over(request)
    response = web.Response(status=303, headers={"Location": SHIFT})
    remember_device(response, settings, token)
    keep_language(request, response, spoken_here(request))
    return response


def spoken_here(request: web.Request) -> Language:
    """The language of this device: as asked just now, else as kept, else its browser's.

    A shift ends and the next one begins; the tablet goes on in the same language.
    """
    for wanted in (request.query.get("lang"), request.cookies.get(_SPOKEN)):
        for language in LANGUAGES:
            if language == wanted:
                return language
    return language_of(request)


def keep_language(
    request: web.Request, response: web.StreamResponse, language: Language
) -> None:
    """Remember the language of this device; a habit, no secret."""
    response.set_cookie(
        _SPOKEN,
        language,
        max_age=int(DEVICE_LASTS.total_seconds()),
        path="/till",
        secure=request.config_dict[SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )


async def _pad(
    request: web.Request, problem: str = "", status: int = 200, seconds: int = 0
) -> web.Response:
    device, session = current_device(request), current_session(request)
    assert device is not None
    place = await request.config_dict[DB].read(_place, device)
    context = {
        "place": place,
        "problem": problem,
        "seconds": seconds,
        "next": _next(request),
        "now_on": name_of(session.staff) if session else "",
        "longest": LONGEST,
    }
    response = _door(request, "shift.html", context, status=status)
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _door(
    request: web.Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> web.Response:
    language = spoken_here(request)
    response = render(
        request, f"till/{template}", context, status=status, language=language
    )
    if request.query.get("lang"):
        keep_language(request, response, language)
    return response


def _link_over(request: web.Request) -> web.Response:
    context = {"place": None, "old": current_device(request)}
    return _door(request, "device.html", context, status=410)


def _next(request: web.Request) -> str:
    wanted = local_path(request.query.get("next", ""), _HOME)
    # Those lead here again.
    is_loop = wanted.startswith((SHIFT, "/till/signin", "/till/device"))
    return _HOME if is_loop else wanted


def _place(tx: Tx, device: Device) -> _Place:
    shops = list_shops(tx, device.merchant_id)
    return _Place(
        merchant=load_merchant(tx, device.merchant_id),
        device=device,
        shop_name=next((s.name for s in shops if s.id == device.shop_id), ""),
        has_pins=any(m.has_pin for m in list_team(tx, device.merchant_id)),
    )
