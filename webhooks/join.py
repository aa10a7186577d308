"""Joining from a poster: with LINE, a wallet, or just a page.

One tap opens the card and goes on into the wallet; the card's page stays behind it. A
browser opens one card of a program: it has a name of its own from the first look on,
and knows its card later.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from core.actions.cards import load_card
from core.actions.channels import LineChannel, line_channel
from core.actions.join import open_card
from core.actions.merchants import find_merchant
from core.actions.publish import find_program
from core.actions.reissue import card_of_link, is_link_replaced
from core.database import Tx
from core.errors import NotFound
from core.links import friend_url
from core.rules.blank import blank_face
from core.rules.face import CardFace
from core.rules.types import IssuerName, Merchant, Program
from core.vault import new_token
from webhooks.badges import badges_of
from webhooks.card_page import qr_of_page, wallets_of
from webhooks.customer import render_card, sorry
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB, LINKS, SETTINGS
from webhooks.limits import TryLimit, client_ip, limit_key
from webhooks.pages import language_of
from webhooks.phones import OUT, Phone, is_in_line, phone_of

_FORM_LIVES = timedelta(days=1)
# Browsers keep no cookie for longer.
_KNOWN_FOR = timedelta(days=400)
# The card that this browser opened, and the name under which it opens one.
_CARD, _JOINER = "card", "joiner"
_PATH = "/j/{merchant:[a-z0-9-]{3,32}}/{program:[a-z0-9-]{1,32}}"

_NAME = re.compile(r"[0-9A-Za-z_-]{16}")

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
    face, phone = blank_face(merchant, program, (), now), phone_of(request)
    wallets = await _wallets(request, face, phone)
    joiner = _joiner(request) or new_token(12)
    mine = await _own_card(request, program, now)
    context = {
        "friend_url": friend_url(channel.basic_id if channel else ""),
        "wallets": wallets,
        "badges": await badges_of(parts[SETTINGS], wallets, language_of(request)),
        "token": parts[LINKS].sign("join", f"{program.id}.{joiner}"),
        "mine": _page(request, mine) if mine else "",
        "out": _out(request),
        "page_qr": await qr_of_page(request, request.path)
        if phone in ("mac", "none")
        else "",
        "is_open": program.state == "active",
        "bonus": program.design.bonus,
    }
    response = render_card(request, "join.html", face, context)
    _keep(request, response, _JOINER, joiner, _FORM_LIVES)
    return response


@routes.post(_PATH)
async def join(request: web.Request) -> web.Response:
    """Open a card without LINE, and go on where it was asked for; once a browser."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await _find(request)
    if isinstance(found, web.Response):
        return found
    merchant, program, _ = found
    fields = await read_fields(request)
    token = parts[LINKS].read(
        "join", text_of(fields, "token"), lives=_FORM_LIVES, now=now
    )
    if token is None or not token.startswith(f"{program.id}."):
        # The page was left open for days: a fresh one, and no harm is done.
        return web.Response(status=303, headers={"Location": request.path})
    to = text_of(fields, "to")
    mine = await _own_card(request, program, now)
    opened = mine or await _open(request, merchant, program, token, now)
    if isinstance(opened, web.Response):
        return opened
    return _to_card(request, opened, to)


async def _open(
    request: web.Request,
    merchant: Merchant,
    program: Program,
    token: str,
    now: datetime,
) -> str | web.Response:
    """The code of a card for who sent the form with this token: one, however often."""
    parts = request.config_dict
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
    return view.card.code


def _to_card(request: web.Request, code: str, to: str) -> web.Response:
    """To the page of the card, which goes on into the wallet `to`, if it is one."""
    query = {"add": to} if to in ("apple", "google") else {}
    if "lang" in request.query:
        query["lang"] = language_of(request)
    location = f"{_page(request, code)}?{urlencode(query)}".rstrip("?")
    response = web.Response(status=303, headers={"Location": location})
    known = request.config_dict[LINKS].sign("joined", code)
    _keep(request, response, _CARD, known, _KNOWN_FOR)
    # Whoever begins anew from here, after leaving, is somebody else.
    response.del_cookie(_JOINER, path=request.path)
    return response


def _page(request: web.Request, code: str) -> str:
    return f"/w/{request.config_dict[LINKS].sign('wallet', code)}"


def _keep(
    request: web.Request,
    response: web.Response,
    name: str,
    value: str,
    lives: timedelta,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lives.total_seconds()),
        path=request.path,
        secure=request.config_dict[SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )


def _joiner(request: web.Request) -> str:
    """The name under which this browser opens a card, or "" before its first look."""
    name = request.cookies.get(_JOINER, "")
    return name if _NAME.fullmatch(name) else ""


def _out(request: web.Request) -> str:
    """Out of LINE's own browser to this page, before there is a card; or "".

    The phone's browser knows nothing of a card that LINE's browser opened, and would
    open another one. https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/
    """
    if not is_in_line(request):
        return ""
    return f"{request.path}?{OUT}=1&lang={language_of(request)}"


async def _wallets(
    request: web.Request, face: CardFace, phone: Phone
) -> list[IssuerName]:
    """The wallet of this phone, where the merchant has connected it.

    On a computer none: there the page is handed to the phone first.
    """
    offered = await wallets_of(request, face, phone)
    return [wallet for wallet in offered if wallet == phone]


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
    """The code of the card that this browser opened here before, or ""."""
    parts, token = request.config_dict, request.cookies.get(_CARD, "")
    code = parts[LINKS].read("joined", token, lives=_KNOWN_FOR, now=now)
    view = await parts[DB].read(card_of_link, code, now) if code else None
    if view is None or view.program.id != program.id or view.face.state == "stopped":
        return ""
    return code or ""
