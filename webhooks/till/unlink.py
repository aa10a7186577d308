"""At the till a manager takes cards apart that were put together, and says why."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.actions.cards import CardView
from core.actions.unlink import unlink_people
from core.errors import Invalid, NotFound
from core.rules.asking import Refused
from core.rules.linking import Link
from core.vault import new_token
from core.wording import say
from webhooks.apart import find_link, is_apart, links_in_words, look_ahead, why_not
from webhooks.forms import problems_in_words, read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import Desk, find_card, find_desk, render_till
from webhooks.till.history import LONGEST_REASON

_PATH = "/till/cards/{code:[0-9A-Z]{1,16}}/unlink"

routes = web.RouteTableDef()


@routes.get(_PATH)
async def ask(request: web.Request) -> web.Response:
    """What it will do, before it is done."""
    desk = await find_desk(request)
    view = await find_card(request, desk)
    link = await _link(request, view, request.query.get("link", ""))
    return await _ask(request, desk, view, link)


@routes.post(_PATH)
async def unlink(request: web.Request) -> web.Response:
    """Take them apart, and back to the card; the same form again does nothing more."""
    desk = await find_desk(request)
    view = await find_card(request, desk)
    parts, fields = request.config_dict, await read_fields(request)
    link = await _link(request, view, text_of(fields, "link"))
    reason, language = text_of(fields, "reason"), desk.session.language
    if not may_unlink(desk):
        raise web.HTTPForbidden
    if not reason:
        problem = say("unlink.reason_needed", language)
        return await _ask(request, desk, view, link, problem=problem)
    try:
        done = await parts[DB].write(
            unlink_people,
            merchant_id=link.merchant_id,
            link_id=link.id,
            by=desk.session.staff,
            key=f"till-unlink:{text_of(fields, 'key')[:64] or new_token()}:{link.id}",
            now=parts[CLOCK].now(),
            reason=reason,
        )
    except Invalid as error:
        problem = problems_in_words(error, language).get("reason", "")
        return await _ask(request, desk, view, link, problem=problem, reason=reason)
    if isinstance(done, Refused) and not await is_apart(request, link):
        context = {"ahead": None, "why": why_not(done, language)}
        return _page(request, desk, view, context, status=409)
    raise web.HTTPSeeOther(f"/c/{request.match_info['code']}?parted=1")


async def links_at_till(
    request: web.Request, desk: Desk, view: CardView
) -> dict[str, Any]:
    """What the card's page at the till shows of what was put together."""
    return {
        "links": await links_in_words(request, view, desk.session.language),
        "may_unlink": may_unlink(desk),
        "is_parted": "parted" in request.query,
    }


def may_unlink(desk: Desk) -> bool:
    """May whoever stands at the till take cards apart?"""
    return desk.session.staff.role in {"owner", "manager"}


async def _link(request: web.Request, view: CardView, text: str) -> Link:
    link = await find_link(request, view, text)
    if link is None:
        raise NotFound("link")
    return link


async def _ask(
    request: web.Request,
    desk: Desk,
    view: CardView,
    link: Link,
    *,
    problem: str = "",
    reason: str = "",
) -> web.Response:
    language, staff = desk.session.language, desk.session.staff
    ahead = await look_ahead(request, link, staff, language)
    if not may_unlink(desk):
        ahead |= {"ahead": None, "why": say("unlink.manager", language)}
    context = {"problem": problem, "reason": reason, **ahead}
    return _page(request, desk, view, context, status=422 if problem else 200)


def _page(
    request: web.Request,
    desk: Desk,
    view: CardView,
    context: dict[str, Any],
    *,
    status: int,
) -> web.Response:
    shown = {
        "view": view,
        "face": view.face,
        "in_line": view.customer.line_user_id is not None,
        "key": new_token(12),
        "longest_reason": LONGEST_REASON,
    }
    return render_till(request, "unlink.html", desk, shown | context, status=status)
