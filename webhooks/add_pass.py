"""The customer's own card page, from which it goes into a wallet."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Literal

import structlog
from aiohttp import hdrs, web

from core.actions.cards import CardView, card_by_id
from core.actions.channels import line_channel
from core.actions.passes import card_of_pass, hold_pass, load_pass
from core.actions.reissue import card_of_link, is_link_replaced
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.rules.face import CardFace
from core.rules.types import IssuerName, Language
from core.wording import say_last_day, say_time
from passes.apple.issuer import CONTENT_TYPE
from passes.issuer import PassIssuer
from passes.qr import qr_svg
from webhooks.badges import badges_of
from webhooks.customer import render_card, sorry
from webhooks.keys import APPLE, CLOCK, DB, GOOGLE, LINKS, SETTINGS
from webhooks.live import event_stream
from webhooks.pages import language_of

LIVES = timedelta(days=30)
_EVER = timedelta(days=36500)
_PATH = "/w/{token:[0-9A-Za-z_.-]{1,300}}"

Phone = Literal["apple", "google", "none"]

routes = web.RouteTableDef()
log = structlog.get_logger()


@routes.get(f"{_PATH}.pkpass")
async def download(request: web.Request) -> web.Response:
    """The signed pass for Apple Wallet."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    parts = request.config_dict
    now, face = parts[CLOCK].now(), view.face
    if not await parts[APPLE].configured(face.merchant_id):
        return sorry(request, "wallet", 404, back=_page_url(request))
    held = await parts[DB].write(
        hold_pass, face.merchant_id, face.card_id, "apple", now, code=face.code
    )
    # Read again as one: the date must not be newer than what the pass shows.
    current = await parts[DB].read(load_pass, held.id, now)
    assert current is not None
    try:
        content = await parts[APPLE].build(current.held, current.face, now)
    except DeliveryError as error:
        log.warning("apple_pass_not_built", pass_id=held.id, error=str(error))
        return sorry(request, "apple", 503, back=_page_url(request))
    response = web.Response(
        body=content,
        content_type=CONTENT_TYPE,
        headers={
            hdrs.CACHE_CONTROL: "no-store",
            hdrs.CONTENT_DISPOSITION: 'attachment; filename="card.pkpass"',
        },
    )
    response.last_modified = current.held.changed_at
    return response


@routes.get(f"{_PATH}/google")
async def go_to_google(request: web.Request) -> web.Response:
    """On to Google's page that saves the pass."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    parts = request.config_dict
    now, face = parts[CLOCK].now(), view.face
    if not await parts[GOOGLE].configured(face.merchant_id):
        return sorry(request, "wallet", 404, back=_page_url(request))
    held = await parts[DB].write(
        hold_pass, face.merchant_id, face.card_id, "google", now, code=face.code
    )
    try:
        url = await parts[GOOGLE].add_link(held, face, now)
    except DeliveryError as error:
        log.warning("google_link_not_made", pass_id=held.id, error=str(error))
        return sorry(request, "google", 503, back=_page_url(request))
    headers = {hdrs.LOCATION: url, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=302, headers=headers)


@routes.get(f"{_PATH}/events")
async def follow_card(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the card as HTML, whenever it is another one."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    language = language_of(request)

    async def load() -> str | None:
        fresh = await card_of(request)
        if isinstance(fresh, web.Response):
            return None
        face = fresh.face
        shown = render_card(request, "face.html", face, _said(request, face, language))
        return shown.text

    return await event_stream(request, {f"card:{view.card.id}"}, load)


@routes.get(f"{_PATH}/next")
async def go_on(request: web.Request) -> web.Response:
    """On to the page of the card that took over from this one, if one did."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    target = _page_url(request)
    if view.face.next_card_id is not None:
        parts = request.config_dict
        after = await parts[DB].read(
            card_by_id, view.face.next_card_id, parts[CLOCK].now()
        )
        if after is not None:
            target = f"/w/{parts[LINKS].sign('wallet', after.card.code)}"
    headers = {hdrs.LOCATION: target, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=303, headers=headers)


@routes.get(f"{_PATH}/code")
async def show_code(request: web.Request) -> web.Response:
    """On to the holder's 会員証 page, whose link is good for minutes only."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    page = request.config_dict[LINKS].member(view.card.id)
    target = f"{page}?lang={language_of(request)}"
    headers = {hdrs.LOCATION: target, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=303, headers=headers)


@routes.get(_PATH)
async def show_card(request: web.Request) -> web.Response:
    """The card, and the wallets that this merchant offers, the phone's own first."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    links: Links = request.config_dict[LINKS]
    face, phone = view.face, phone_of(request)
    # LINE's own browser cannot take a pass; this parameter opens the phone's browser.
    out = "?openExternalBrowser=1" if _is_in_line(request) else ""
    wallets = await wallets_of(request, face, phone)
    context = {
        "wallets": wallets,
        "badges": await badges_of(
            request.config_dict[SETTINGS], wallets, language_of(request)
        ),
        "phone": phone,
        "page": _page_url(request),
        "out": out,
        "card_qr": ""
        if face.changing_code
        else await asyncio.to_thread(qr_svg, links.card(face.code)),
        "page_qr": await _page_qr(request) if phone == "none" else "",
        "can_link": bool(await line_account(request, view)),
        **_said(request, face, language_of(request)),
    }
    return render_card(request, "card.html", face, context)


def phone_of(request: web.Request) -> Phone:
    """Whose wallet the device that asks can hold."""
    agent = request.headers.get(hdrs.USER_AGENT, "")
    if any(name in agent for name in ("iPhone", "iPad", "iPod")):
        return "apple"
    return "google" if "Android" in agent else "none"


async def wallets_of(
    request: web.Request, face: CardFace, phone: Phone
) -> list[IssuerName]:
    """The wallets that the merchant has connected, this phone's first."""
    issuers: dict[IssuerName, PassIssuer] = {
        "apple": request.config_dict[APPLE],
        "google": request.config_dict[GOOGLE],
    }
    offered = [
        name
        for name, issuer in issuers.items()
        if await issuer.configured(face.merchant_id)
    ]
    return sorted(offered, key=lambda name: name != phone)


async def find_card(
    links: Links, db: Database, token: str, now: datetime, lives: timedelta = LIVES
) -> CardView | None:
    """The card that a link's token names; None for a token that is not good (now)."""
    value = links.read("wallet", token, lives=lives, now=now)
    if value is not None:
        return await db.read(card_of_link, value, now)
    # The link on a pass lives as long as the pass.
    pass_id = links.read_holder(token)
    return None if pass_id is None else await db.read(card_of_pass, pass_id, now)


async def card_of(request: web.Request) -> CardView | web.Response:
    """The card of the path's token, or the page that says why there is none."""
    parts = request.config_dict
    token, now = request.match_info["token"], parts[CLOCK].now()
    view = await find_card(parts[LINKS], parts[DB], token, now)
    if view is not None:
        return view
    value = parts[LINKS].read("wallet", token, lives=_EVER, now=now)
    value = value or parts[LINKS].read_holder(token)
    if value is not None and await parts[DB].read(is_link_replaced, value):
        return sorry(request, "replaced", 410)
    old = await find_card(parts[LINKS], parts[DB], token, now, _EVER)
    if old is None:
        return sorry(request, "link", 404)
    join = f"/j/{old.face.merchant_key}/{old.face.program_key}"
    return sorry(request, "old", 410, merchant=old.face.merchant_name, join=join)


async def line_account(request: web.Request, view: CardView) -> str:
    """The LINE account of the shop where this card can still be linked, or ""."""
    if view.customer.line_user_id is not None or view.face.state == "stopped":
        return ""
    channel = await request.config_dict[DB].read(line_channel, view.face.merchant_id)
    return channel.basic_id if channel else ""


async def _page_qr(request: web.Request) -> str:
    url = request.config_dict[LINKS].public_url + _page_url(request)
    return await asyncio.to_thread(qr_svg, url)


def _page_url(request: web.Request) -> str:
    return f"/w/{request.match_info['token']}"


def _is_in_line(request: web.Request) -> bool:
    return " Line/" in request.headers.get(hdrs.USER_AGENT, "")


def _said(request: web.Request, face: CardFace, language: Language) -> dict[str, str]:
    """The card's instants in words, and where its stamps go on."""
    zone = face.timezone
    return {
        # No link of its own: signed afresh, it would be news to the event stream.
        "onward": f"{_page_url(request)}/next" if face.ranked_up else "",
        "expires": say_last_day(face.expires_at, zone, language)
        if face.expires_at
        else "",
        "last_stamp": say_time(face.last_stamp_at, zone, language)
        if face.last_stamp_at
        else "",
    }
