"""Setting a till up: sign in and out, choose the shop and the language."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from core.actions.signin import choose_language, choose_shop
from core.rules.types import ShopId
from core.wording import LANGUAGES
from webhooks.forms import local_path, text_of
from webhooks.keys import DB
from webhooks.sessions import current_device, require_session, sign_out
from webhooks.signin import sign_in
from webhooks.till.desk import find_desk, render_till
from webhooks.till.shift import SHIFT, keep_language

routes = web.RouteTableDef()


@routes.get("/till/signin")
@routes.post("/till/signin")
async def show_signin(request: web.Request) -> web.Response:
    """Sign in; a till stays signed in for weeks. A device asks for a PIN instead."""
    if current_device(request) is not None:
        back = local_path(request.query.get("next", ""), "/till/")
        location = f"{SHIFT}?next={quote(back, safe='')}"
        return web.Response(status=303, headers={"Location": location})
    return await sign_in(request, "till")


@routes.post("/till/signout")
async def leave(request: web.Request) -> web.Response:
    """Sign out; on a device, end the shift."""
    return await sign_out(request)


@routes.get("/till/shop")
async def show_shops(request: web.Request) -> web.Response:
    """Ask in which shop this till stands; a device stands where it was set up."""
    back = local_path(request.query.get("next", ""), "/till/")
    desk = await find_desk(request)
    if desk.session.device_id is not None and desk.shop is not None:
        return web.Response(status=303, headers={"Location": back})
    return render_till(request, "shops.html", desk, {"back": back})


@routes.post("/till/shop")
async def put_shop(request: web.Request) -> web.Response:
    """Keep the choice for this browser."""
    session = require_session(request, "owner", "manager", "clerk")
    fields = await request.post()
    shop_id = ShopId(text_of(fields, "shop"))
    if session.device_id is not None:
        raise web.HTTPForbidden
    await request.config_dict[DB].write(choose_shop, session, shop_id)
    back = local_path(text_of(fields, "back"), "/till/")
    return web.Response(status=303, headers={"Location": back})


@routes.post("/till/language")
async def put_language(request: web.Request) -> web.Response:
    """Speak another language on this till."""
    session = require_session(request)
    fields = await request.post()
    wanted = text_of(fields, "language")
    back = local_path(text_of(fields, "back"), "/till/")
    response = web.Response(status=303, headers={"Location": back})
    for language in LANGUAGES:
        if language == wanted:
            await request.config_dict[DB].write(choose_language, session, language)
            keep_language(request, response, language)
    return response
