"""カードを再発行: a phone was lost or changed, and the customer stands at the till."""

from __future__ import annotations

from aiohttp import web

from core.actions.cards import load_card
from core.actions.reissue import Reissued, find_old_code, reissue_card
from core.errors import NotFound
from core.vault import new_token
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import find_card, find_desk, render_till
from webhooks.till.refusals import say_refusal

_PATH = "/till/cards/{code:[0-9A-Z]{1,16}}/reissue"

routes = web.RouteTableDef()


@routes.get(_PATH)
async def ask(request: web.Request) -> web.Response:
    """What it does, before it is done: the passes until now end."""
    desk = await find_desk(request)
    view = await find_card(request, desk)
    context = {"view": view, "face": view.face, "key": new_token(12), "refusal": ""}
    return render_till(request, "reissue.html", desk, context)


@routes.post(_PATH)
async def reissue(request: web.Request) -> web.Response:
    """Re-issue, and on to the code that puts the card on the new phone.

    The same form again leads to the same place; another till's, that came second, to
    the page that says that the card was re-issued.
    """
    desk = await find_desk(request)
    parts = request.config_dict
    fields = await read_fields(request)
    code, now = request.match_info["code"], parts[CLOCK].now()
    merchant_id = desk.session.merchant.id
    key = text_of(fields, "key")[:64] or new_token()
    try:
        outcome = await parts[DB].write(
            reissue_card,
            merchant_id=merchant_id,
            code=code,
            by=desk.session.staff,
            key=f"till-reissue:{key}:{code}",
            now=now,
        )
    except NotFound:
        old = await parts[DB].read(find_old_code, code)
        if old is None or old.merchant_id != merchant_id:
            raise
        raise web.HTTPSeeOther(f"/c/{code}") from None
    if not isinstance(outcome, Reissued):
        view = await find_card(request, desk)
        refusal = say_refusal(desk.session, outcome)
        context = {"view": view, "face": view.face, "key": "", "refusal": refusal}
        return render_till(request, "reissue.html", desk, context, status=409)
    view = await parts[DB].read(load_card, merchant_id, outcome.card_id, now)
    raise web.HTTPSeeOther(f"/till/cards/{view.card.code}/wallet?reissued=1")


async def show_replaced(request: web.Request) -> web.Response:
    """What staff see who scan a pass that was replaced."""
    desk = await find_desk(request)
    return render_till(request, "replaced.html", desk, status=410)
