"""Joining from a poster: with LINE, a wallet, or just a page."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from core.actions.cards import load_card
from core.actions.channels import LineChannel, line_channel
from core.actions.join import open_card
from core.actions.merchants import find_merchant
from core.actions.publish import find_program
from core.actions.reissue import is_link_replaced
from core.database import Tx
from core.errors import NotFound
from core.links import friend_url
from core.rules.blank import blank_face
from core.rules.types import Merchant, Program
from core.vault import new_token
from webhooks.add_pass import LIVES, find_card, phone_of, wallets_of
from webhooks.customer import render_card, sorry
from webhooks.forms import text_of
from webhooks.keys import CLOCK, DB, LINKS, SETTINGS
from webhooks.limits import TryLimit, client_ip, limit_key
from webhooks.pages import language_of

_FORM_LIVES = timedelta(days=1)
_COOKIE = "card"
_PATH = "/j/{merchant:[a-z0-9-]{3,32}}/{program:[a-z0-9-]{1,32}}"

# A shop's guests share its one address, a script on it is to be slow.
_opens = TryLimit(burst=40, seconds=5)

routes = web.RouteTableDef()


@routes.get(_PATH)
async def show_ways(request: web.Request) -> web.Response:
    """The ways to get a card, the best for this phone first."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await _find(request)
    if isinstance(found, web.Response):
        return found
    merchant, program, channel = found
    face = blank_face(merchant, program, (), now)
    phone = phone_of(request)
    token = parts[LINKS].sign("join", f"{program.id}.{new_token(12)}")
    context = {
        "friend_url": friend_url(channel.basic_id if channel else ""),
        "wallets": await wallets_of(request, face, phone),
        "phone": phone,
        "token": token,
        "mine": await _own_card(request, program, now),
        "is_open": program.state == "active",
        "bonus": program.design.bonus,
    }
    return render_card(request, "join.html", face, context)


@routes.post(_PATH)
async def join(request: web.Request) -> web.Response:
    """Open a card without LINE; a double tap is one card."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await _find(request)
    if isinstance(found, web.Response):
        return found
    merchant, program, _ = found
    fields = await request.post()
    token = parts[LINKS].read(
        "join", text_of(fields, "token"), lives=_FORM_LIVES, now=now
    )
    if token is None or not token.startswith(f"{program.id}."):
        # The page was left open for days: a fresh one, and no harm is done.
        return web.Response(status=303, headers={"Location": request.path})
    if program.state != "active":
        return sorry(request, "closed", 409, merchant=merchant.name)
    if _opens.take(limit_key(client_ip(request)), now):
        return sorry(request, "many", 429)
    card_id = await parts[DB].write(
        open_card,
        merchant_id=merchant.id,
        program_key=program.key,
        key=f"join:{token}",
        now=now,
        language=language_of(request),
    )
    if await parts[DB].read(is_link_replaced, card_id):
        # The form of a phone that was lost since, sent again.
        return sorry(request, "replaced", 410)
    view = await parts[DB].read(load_card, merchant.id, card_id, now)
    return _to_card(request, view.card.code)


def _to_card(request: web.Request, code: str) -> web.Response:
    parts = request.config_dict
    token = parts[LINKS].sign("wallet", code)
    response = web.Response(status=303, headers={"Location": f"/w/{token}"})
    response.set_cookie(
        _COOKIE,
        token,
        max_age=int(LIVES.total_seconds()),
        path=request.path,
        secure=parts[SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


async def _find(
    request: web.Request,
) -> tuple[Merchant, Program, LineChannel | None] | web.Response:
    keys = request.match_info["merchant"], request.match_info["program"]
    try:
        return await request.config_dict[DB].read(_look, *keys)
    except NotFound:
        return sorry(request, "poster", 404)


def _look(
    tx: Tx, merchant_key: str, program_key: str
) -> tuple[Merchant, Program, LineChannel | None]:
    merchant = find_merchant(tx, merchant_key)
    program = find_program(tx, merchant.id, program_key)
    return merchant, program, line_channel(tx, merchant.id)


async def _own_card(request: web.Request, program: Program, now: datetime) -> str:
    """The page of the card that this browser opened here before, or ""."""
    token = request.cookies.get(_COOKIE, "")
    parts = request.config_dict
    view = await find_card(parts[LINKS], parts[DB], token, now) if token else None
    if view is None or view.program.id != program.id:
        return ""
    return f"/w/{token}"
