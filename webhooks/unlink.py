"""Taking a card and the one in LINE apart again, on the card's own page.

Whoever holds the page of either card may: since they were put together, both pages are
of the same card. What will happen is shown first, and nothing is done by looking.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.actions.cards import CardView
from core.actions.unlink import unlink_people
from core.rules.asking import Refused
from core.vault import new_token
from webhooks.apart import find_link, is_apart, look_ahead, why_not
from webhooks.card_links import CARD_PAGE, card_of, page_url
from webhooks.customer import render_card, sorry
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.limits import TryLimit, limit_key
from webhooks.pages import language_of

# Each look does it and rolls back: nobody needs that often.
_looks = TryLimit(burst=30, seconds=5)

routes = web.RouteTableDef()


@routes.get(f"{CARD_PAGE}/unlink")
async def show_unlink(request: web.Request) -> web.Response:
    """What taking the cards apart will do, and the button that does it."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    now = request.config_dict[CLOCK].now()
    link = await find_link(request, view, request.query.get("link", ""))
    if link is None or not link.can_be_undone(now):
        return sorry(request, "unlink", 404, back=page_url(request))
    if _looks.take(limit_key(view.card.id), now):
        return sorry(request, "many", 429)
    ahead = await look_ahead(request, link, None, language_of(request))
    return render_card(
        request, "unlink.html", view.face, _context(request, view, ahead)
    )


@routes.post(f"{CARD_PAGE}/unlink")
async def unlink(request: web.Request) -> web.Response:
    """Take them apart, and back to the page; a double tap does it once."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    fields, language = await read_fields(request), language_of(request)
    link = await find_link(request, view, text_of(fields, "link"))
    if link is None:
        return sorry(request, "unlink", 404, back=page_url(request))
    key = f"page-unlink:{text_of(fields, 'key')[:64] or new_token()}:{link.id}"
    done = await request.config_dict[DB].write(
        unlink_people,
        merchant_id=link.merchant_id,
        link_id=link.id,
        by=None,
        key=key,
        now=request.config_dict[CLOCK].now(),
    )
    if isinstance(done, Refused) and not await is_apart(request, link):
        ahead = {"link": link.id, "ahead": None, "why": why_not(done, language)}
        context = _context(request, view, ahead)
        return render_card(request, "unlink.html", view.face, context, status=409)
    location = f"{page_url(request)}?parted=1&lang={language}"
    return web.Response(status=303, headers={"Location": location})


def _context(
    request: web.Request, view: CardView, ahead: dict[str, Any]
) -> dict[str, Any]:
    in_line = view.customer.line_user_id is not None
    return {
        "in_line": in_line,
        "page": page_url(request),
        "key": new_token(12),
        **ahead,
    }
