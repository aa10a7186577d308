"""The card that a link of ours names, or the page that says why there is none."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from core.actions.cards import CardView
from core.actions.passes import card_of_pass
from core.actions.reissue import card_of_link, is_link_replaced
from core.database import Database
from core.links import Links
from webhooks.customer import sorry
from webhooks.keys import CLOCK, DB, LINKS

CARD_PAGE = "/w/{token:[0-9A-Za-z_.-]{1,300}}"
LIVES = timedelta(days=30)
# The code at the till is seen by whoever stands there: it is of use while they do.
HANDOVER_LIVES = timedelta(minutes=10)
_EVER = timedelta(days=36500)


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
    if (code := parts[LINKS].read_handover(token, _EVER, now)) is not None:
        return await _from_the_till(request, code, now)
    value = parts[LINKS].read("wallet", token, lives=_EVER, now=now)
    value = value or parts[LINKS].read_holder(token)
    if value is not None and await parts[DB].read(is_link_replaced, value):
        return sorry(request, "replaced", 410)
    old = await find_card(parts[LINKS], parts[DB], token, now, _EVER)
    if old is None:
        return sorry(request, "link", 404)
    join = f"/j/{old.face.merchant_key}/{old.face.program_key}"
    return sorry(request, "old", 410, merchant=old.face.merchant_name, join=join)


async def _from_the_till(
    request: web.Request, code: str, now: datetime
) -> web.Response:
    """On to the customer's own link, once their camera has read the till's."""
    parts, token = request.config_dict, request.match_info["token"]
    if await parts[DB].read(is_link_replaced, code):
        return sorry(request, "replaced", 410)
    if parts[LINKS].read_handover(token, HANDOVER_LIVES, now) is None:
        return sorry(request, "handover", 410)
    own = parts[LINKS].sign("wallet", code)
    headers = {"Location": f"/w/{own}", "Cache-Control": "no-store"}
    return web.Response(status=303, headers=headers)


def page_url(request: web.Request) -> str:
    """The path of the card's page, from any path below it."""
    return f"/w/{request.match_info['token']}"
