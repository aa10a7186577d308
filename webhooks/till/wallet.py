"""The card for the customer's phone: a code at the till that leads into its wallet."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core.actions.cards import CardView, find_cards
from core.wording import say_time
from passes.qr import qr_svg
from webhooks.card_links import HANDOVER_LIVES
from webhooks.card_page import wallets_of
from webhooks.keys import CLOCK, DB, LINKS
from webhooks.till.desk import find_card, find_desk, render_till

routes = web.RouteTableDef()


@routes.get("/till/cards/{code:[0-9A-Z]{1,16}}/wallet")
async def show_wallet_code(request: web.Request) -> web.Response:
    """The customer's own card page as a QR code, for the customer's camera.

    It is the same card for a new phone and after a lost one, and its same pass. Who has
    read the code goes on with a link of their own; the code itself, which others may
    have seen, is over soon.
    """
    desk = await find_desk(request)
    view = await find_card(request, desk)
    url = request.config_dict[LINKS].handover(view.card.code)
    until = request.config_dict[CLOCK].now() + HANDOVER_LIVES
    reissued = "reissued" in request.query
    context = {
        "reissued": reissued,
        "others": await _others(request, view) if reissued else [],
        "view": view,
        "face": view.face,
        "until": say_time(until, view.face.timezone, desk.session.language),
        "qr": await asyncio.to_thread(qr_svg, url),
        "wallets": await wallets_of(request, view.face, "none"),
    }
    response = render_till(request, "wallet.html", desk, context)
    # Whoever has the link has the card.
    response.headers["Cache-Control"] = "no-store"
    return response


async def _others(request: web.Request, view: CardView) -> list[CardView]:
    """The customer's other cards in use: they were re-issued with this one."""
    parts = request.config_dict
    merchant_id, number = view.card.merchant_id, view.customer.member_no
    now = parts[CLOCK].now()
    found = await parts[DB].read(find_cards, merchant_id, now, member_no=number)
    return [
        other
        for other in found
        if other.card.id != view.card.id
        and other.face.state in ("active", "paused")
        and not other.face.ranked_up
    ]
