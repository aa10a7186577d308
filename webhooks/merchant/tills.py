"""Tills and staff: the shops' devices, and the PIN on the customer's phone.

The buttons of the staff are in `webhooks.merchant.team`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from aiohttp import web

from core.actions.pins import MAY_SERVE
from core.actions.shops import list_shops
from core.actions.team import Member, list_team, name_of, switch_phone_pin
from core.actions.tills import (
    LINK_LIVES,
    MAX_NAME,
    Device,
    add_till,
    list_devices,
    renew_link,
    revoke_till,
)
from core.database import Tx
from core.errors import Invalid
from core.rules.pins import LONGEST
from core.rules.types import MerchantId, Shop
from core.vault import hash_token, new_token
from core.wording import say_day, say_time
from passes.qr import qr_svg
from webhooks.forms import problems_in_words, read_fields, text_of
from webhooks.keys import CLOCK, DB, SETTINGS
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

TILLS = "/merchant/tills"
_DEVICE = TILLS + "/devices/{device:[0-9A-Z]{26}}"

_DONE = {
    "revoked",
    "pin_saved",
    "pin_removed",
    "added",
    "left",
    "back",
    "phone_on",
    "phone_off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is on the page this once: a device's link, or a PIN that was made."""

    kind: Literal["link", "pin"]
    name: str
    value: str
    qr: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What could not be kept, and why; `form` is the one it was typed into: "device",
    "clerk", or somebody's id. A PIN is never shown again.
    """

    form: str
    problems: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    devices: list[Device]
    shops: list[Shop]
    team: list[Member]


@routes.get(TILLS)
async def show_tills(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner", "manager")
    return await tills_page(request)


@routes.post(f"{TILLS}/devices")
async def add_device(request: web.Request) -> web.Response:
    """Make a device and show its link, this once."""
    session = require_session(request, "owner", "manager")
    parts, fields = request.config_dict, await read_fields(request)
    name, shop_id = text_of(fields, "name"), text_of(fields, "shop")
    token, now = new_token(), parts[CLOCK].now()
    try:
        await parts[DB].write(
            add_till,
            by=session.staff,
            name=name,
            shop_id=shop_id,
            link_hash=hash_token(token),
            now=now,
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        texts = {"name": name, "shop": shop_id}
        typed = Typed(form="device", problems=problems, texts=texts)
        return await tills_page(request, typed=typed)
    return await tills_page(request, shown=_link(request, name, token, now))


@routes.post(f"{_DEVICE}/link")
async def make_link(request: web.Request) -> web.Response:
    """Make a new link for a device and show it, this once."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    token, now = new_token(), parts[CLOCK].now()
    device = await parts[DB].write(
        renew_link,
        by=session.staff,
        device_id=request.match_info["device"],
        link_hash=hash_token(token),
        now=now,
    )
    return await tills_page(request, shown=_link(request, device.name, token, now))


@routes.post(f"{_DEVICE}/revoke")
async def revoke(request: web.Request) -> web.Response:
    """Stop a device; the form has asked whether that is meant."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    await parts[DB].write(
        revoke_till,
        by=session.staff,
        device_id=request.match_info["device"],
        now=parts[CLOCK].now(),
    )
    return back_with("revoked")


@routes.post(f"{TILLS}/phone")
async def switch_phone(request: web.Request) -> web.Response:
    """PINs on customers' phones: yes or no."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    wanted = text_of(await read_fields(request), "do")
    if wanted not in {"on", "off"}:
        raise web.HTTPBadRequest
    await parts[DB].write(
        switch_phone_pin,
        by=session.staff,
        is_on=wanted == "on",
        now=parts[CLOCK].now(),
    )
    return back_with(f"phone_{wanted}")


@routes.get(f"{TILLS}/devices")
@routes.get(f"{_DEVICE}/link")
@routes.get(f"{TILLS}/staff")
@routes.get(TILLS + "/staff/{staff:[0-9A-Z]{26}}")
async def come_back(request: web.Request) -> web.Response:
    """The answer's address, opened again without its form: the page as it is now."""
    del request
    return web.Response(status=303, headers={"Location": TILLS})


def back_with(done: str) -> web.Response:
    """To the page again, which says what was done."""
    return web.Response(status=303, headers={"Location": f"{TILLS}?done={done}"})


async def tills_page(
    request: web.Request, *, shown: Shown | None = None, typed: Typed | None = None
) -> web.Response:
    """The page, with a link or a PIN to be noted, or with what could not be kept."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    found = await parts[DB].read(_load, session.merchant.id)
    language, zone = language_of(request), session.merchant.timezone
    done = request.query.get("done", "") if request.method == "GET" else ""
    context = {
        "devices": found.devices,
        "shops": found.shops,
        "shop_names": {shop.id: shop.name for shop in found.shops},
        "team": [m for m in found.team if m.left_at is None],
        "left": [m for m in found.team if m.left_at is not None],
        "shown": shown,
        "typed": typed or Typed(form="", problems={}),
        "done": done if done in _DONE else "",
        "now": parts[CLOCK].now(),
        "me": session.staff,
        "name_of": name_of,
        "may_serve": MAY_SERVE,
        "max_name": MAX_NAME,
        "max_pin": LONGEST,
        "day_of": lambda at: say_day(at, zone, language),
        "time_of": lambda at: say_time(at, zone, language),
    }
    return render(
        request,
        "merchant/tills.html",
        context,
        status=422 if typed else 200,
        # A page with a secret in it is not packed (BREACH, see `csrf.masked`).
        is_packed=shown is None,
    )


def _link(request: web.Request, name: str, token: str, now: datetime) -> Shown:
    url = f"{request.config_dict[SETTINGS].public_url}/till/device/{token}"
    until = now + LINK_LIVES
    return Shown(kind="link", name=name, value=url, qr=qr_svg(url), until=until)


def _load(tx: Tx, merchant_id: MerchantId) -> _Page:
    return _Page(
        devices=list_devices(tx, merchant_id),
        shops=list_shops(tx, merchant_id),
        team=list_team(tx, merchant_id),
    )
