"""What a card's QR code opens: the customer for staff, nothing private for others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from core.actions.cards import CardView, card_by_code
from core.actions.reissue import find_old_code
from core.card_words import say_card
from core.rules.face import CardFace
from core.rules.pass_codes import PassCode
from core.rules.scanned import MemberCode, read_scanned
from passes.artwork import picture_path
from passes.qr import qr_svg
from webhooks.keys import CLOCK, DB, LINKS
from webhooks.look import look_url
from webhooks.pages import language_of, render
from webhooks.sessions import current_session
from webhooks.till.reissue import show_replaced
from webhooks.till.scan import serves, show_customer

routes = web.RouteTableDef()


@routes.get("/c/{code:[0-9A-Za-z]{1,16}}")
async def show_code(request: web.Request) -> web.Response:
    """The customer, for staff of that merchant; a card page for anybody else.

    A code that changes names nobody to anybody but that merchant's staff.
    """
    parts = request.config_dict
    code = request.match_info["code"].upper()
    if isinstance(changes := read_scanned(code), MemberCode | PassCode):
        session = current_session(request)
        if session is not None and serves(session, session.merchant.id):
            location = f"/till/find?q={code}"
            return web.Response(status=303, headers={"Location": location})
        kind = "pass" if isinstance(changes, PassCode) else "member"
        return render(request, "customer/member_code.html", {"kind": kind})
    view = await parts[DB].read(card_by_code, code, parts[CLOCK].now())
    if view is None:
        return await _nobody(request, code)
    if serves(current_session(request), view.card.merchant_id):
        return await show_customer(request, view)
    return await _public(request, view)


def sorry(request: web.Request, what: str, status: int, **more: Any) -> web.Response:
    """A page that says kindly what is not there (`card_page.sorry.<what>`)."""
    return render(request, "customer/sorry.html", {"what": what, **more}, status=status)


def render_card(
    request: web.Request,
    template: str,
    face: CardFace,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> web.Response:
    """A page in the looks of a card's program."""
    shown = {
        "face": face,
        "said": say_card(face, language_of(request)),
        "look": look_url(face.look),
        "picture": picture_path(face, "strip"),
        "other": "en" if language_of(request) == "ja" else "ja",
    }
    return render(
        request, f"customer/{template}", {**shown, **(context or {})}, status=status
    )


async def _nobody(request: web.Request, code: str) -> web.Response:
    """The page for a code that no card has: now, or ever."""
    old = await request.config_dict[DB].read(find_old_code, code)
    if old is None:
        return sorry(request, "code", 404)
    if serves(current_session(request), old.merchant_id):
        return await show_replaced(request)
    return sorry(request, "replaced", 410)


async def _public(request: web.Request, view: CardView) -> web.Response:
    # How many stamps there are is the holder's business: the picture is an empty card.
    bare = replace(view.face, balance=0)
    url = request.config_dict[LINKS].card(view.card.code)
    join = f"/j/{view.face.merchant_key}/{view.face.program_key}"
    # The code of a protected card would be good on a picture, too.
    is_shown = not view.face.changing_code
    qr = await asyncio.to_thread(qr_svg, url) if is_shown else ""
    return render_card(request, "code.html", bare, {"qr": qr, "join": join})
