"""The customer's own card page, from which it goes into a wallet and into LINE."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

from aiohttp import web

from core.actions.cards import CardView
from core.actions.channels import line_channel
from core.rules.face import CardFace
from core.rules.types import IssuerName, Language
from core.wording import say_last_day, say_time
from passes.issuer import PassIssuer
from passes.qr import qr_svg
from webhooks.apart import links_in_words
from webhooks.badges import badges_of
from webhooks.card_links import page_url
from webhooks.customer import render_card
from webhooks.keys import APPLE, DB, GOOGLE, LINKS, SETTINGS
from webhooks.pages import language_of
from webhooks.phones import OUT, Phone, is_in_line, phone_of

Failed = Literal["", "apple", "google", "wallet"]


async def render_page(
    request: web.Request,
    view: CardView,
    *,
    add: str = "",
    failed: Failed = "",
    status: int = 200,
) -> web.Response:
    """The card, and the wallets that this merchant offers, the phone's own first.

    `add`: the wallet that it is to go on into. `failed`: the one that it did not get
    into, which is said above the card.
    """
    face, phone, language = view.face, phone_of(request), language_of(request)
    wallets = await wallets_of(request, face, phone)
    ways = {wallet: _way(request, wallet) for wallet in wallets}
    context: dict[str, Any] = {
        "wallets": wallets,
        "ways": ways,
        "badges": await badges_of(request.config_dict[SETTINGS], wallets, language),
        "phone": phone,
        "page": page_url(request),
        "add": add if add in ways and not is_in_line(request) else "",
        "failed": failed,
        "is_parted": "parted" in request.query,
        "links": await links_in_words(request, view, language),
        "card_qr": ""
        if face.changing_code
        else await _qr(request.config_dict[LINKS].card(face.code)),
        "page_qr": await qr_of_page(request, page_url(request))
        if phone in ("mac", "none")
        else "",
        "can_link": bool(await line_account(request, view)),
        **card_in_words(request, face, language),
    }
    return render_card(request, "card.html", face, context, status=status)


async def qr_of_page(request: web.Request, path: str) -> str:
    """The QR code, as SVG, that hands a page of ours to a phone."""
    return await _qr(request.config_dict[LINKS].public_url + path)


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
    own = "google" if phone == "google" else "apple"
    return sorted(offered, key=lambda name: name != own)


async def line_account(request: web.Request, view: CardView) -> str:
    """The LINE account of the shop where this card can still be linked, or ""."""
    if view.customer.line_user_id is not None or view.face.state == "stopped":
        return ""
    channel = await request.config_dict[DB].read(line_channel, view.face.merchant_id)
    return channel.basic_id if channel else ""


def card_in_words(
    request: web.Request, face: CardFace, language: Language
) -> dict[str, str]:
    """The card's instants in words, and where its stamps go on."""

    def said(at: datetime | None) -> str:
        return say_time(at, face.timezone, language) if at else ""

    ends = face.expires_at
    return {
        # No link of its own: signed afresh, it would be news to the event stream.
        "onward": f"{page_url(request)}/next" if face.ranked_up else "",
        "expires": say_last_day(ends, face.timezone, language) if ends else "",
        "last_stamp": said(face.last_stamp_at),
    }


def _way(request: web.Request, wallet: IssuerName) -> str:
    """Where the button of a wallet leads.

    LINE's own browser cannot take a pass: from there it is this page in the phone's
    browser, which goes on by itself, so that the card stays behind the wallet.
    """
    page = page_url(request)
    if is_in_line(request):
        return f"{page}?add={wallet}&{OUT}=1&lang={language_of(request)}"
    return f"{page}.pkpass" if wallet == "apple" else f"{page}/google"


async def _qr(text: str) -> str:
    return await asyncio.to_thread(qr_svg, text)
