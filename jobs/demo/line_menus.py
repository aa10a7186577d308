"""LINE's rich menu and webhook-address calls, as the service makes them.

The pictures go to api-data.line.me on the real platform; here it is the same server.
"""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from jobs.demo.line_calls import CHANNEL, WORLD, refuse
from jobs.demo.line_world import Channel, RichMenu

routes = web.RouteTableDef()


@routes.post("/v2/bot/richmenu/validate")
async def validate(request: web.Request) -> web.Response:
    """Would this menu be taken?"""
    wrong = _wrong(await request.json())
    return refuse(400, wrong) if wrong else web.json_response({})


@routes.post("/v2/bot/richmenu")
async def create(request: web.Request) -> web.Response:
    """A new menu, without its picture yet."""
    body = await request.json()
    if wrong := _wrong(body):
        return refuse(400, wrong)
    menu = RichMenu(menu_id=f"richmenu-{secrets.token_hex(16)}", body=body)
    request[CHANNEL].menus[menu.menu_id] = menu
    return web.json_response({"richMenuId": menu.menu_id})


@routes.get("/v2/bot/richmenu/list")
async def list_menus(request: web.Request) -> web.Response:
    """Every menu of the channel."""
    menus = request[CHANNEL].menus.values()
    return web.json_response({"richmenus": [_shown(menu) for menu in menus]})


@routes.get("/v2/bot/richmenu/alias/list")
async def list_aliases(request: web.Request) -> web.Response:
    """Every alias of the channel."""
    aliases = request[CHANNEL].menu_aliases.items()
    found = [{"richMenuAliasId": a, "richMenuId": m} for a, m in aliases]
    return web.json_response({"aliases": found})


@routes.post("/v2/bot/richmenu/alias")
async def create_alias(request: web.Request) -> web.Response:
    """A name for a menu."""
    body = await request.json()
    channel = request[CHANNEL]
    if body.get("richMenuAliasId") in channel.menu_aliases:
        return refuse(400, "conflict richmenu alias id")
    if body.get("richMenuId") not in channel.menus:
        return refuse(400, "richmenu not found")
    channel.menu_aliases[body["richMenuAliasId"]] = body["richMenuId"]
    return web.json_response({})


@routes.post("/v2/bot/richmenu/alias/{alias}")
async def change_alias(request: web.Request) -> web.Response:
    """The same name for another menu."""
    channel, alias = request[CHANNEL], request.match_info["alias"]
    if alias not in channel.menu_aliases:
        return refuse(404, "richmenu alias not found")
    channel.menu_aliases[alias] = (await request.json())["richMenuId"]
    return web.json_response({})


@routes.delete("/v2/bot/richmenu/alias/{alias}")
async def delete_alias(request: web.Request) -> web.Response:
    """Forget a name."""
    request[CHANNEL].menu_aliases.pop(request.match_info["alias"], None)
    return web.json_response({})


@routes.post("/v2/bot/richmenu/bulk/link")
async def link_many(request: web.Request) -> web.Response:
    """Show a menu to up to 500 people; taken, and done a little later."""
    body = await request.json()
    channel, people = request[CHANNEL], body.get("userIds")
    if not isinstance(people, list) or not 1 <= len(people) <= 500:  # noqa: PLR2004 -- LINE's own number
        return refuse(400, "Size must be between 1 and 500: userIds")
    if body.get("richMenuId") not in channel.menus:
        return refuse(404, "richmenu not found")
    for user_id in people:
        channel.menu_of_person[user_id] = body["richMenuId"]
    request.app[WORLD].bell.ring()
    return web.json_response({}, status=202)


@routes.get("/v2/bot/richmenu/{menu}")
async def load(request: web.Request) -> web.Response:
    """One menu."""
    menu = _menu(request)
    return (
        web.json_response(_shown(menu)) if menu else refuse(404, "richmenu not found")
    )


@routes.delete("/v2/bot/richmenu/{menu}")
async def delete(request: web.Request) -> web.Response:
    """Remove a menu wherever it is shown."""
    channel = request[CHANNEL]
    gone = channel.menus.pop(request.match_info["menu"], None)
    if gone is None:
        return refuse(404, "richmenu not found")
    if channel.default_menu == gone.menu_id:
        channel.default_menu = None
    request.app[WORLD].bell.ring()
    return web.json_response({})


@routes.post("/v2/bot/richmenu/{menu}/content")
async def upload(request: web.Request) -> web.Response:
    """The menu's picture: JPEG or PNG, at most 1 MB, once."""
    menu, picture = _menu(request), await request.read()
    if menu is None:
        return refuse(404, "richmenu not found")
    if request.content_type not in ("image/png", "image/jpeg"):
        return refuse(415, "Unsupported content type")
    if len(picture) > 1024 * 1024:
        return refuse(413, "Request entity too large")
    if menu.picture:
        return refuse(400, "An image has already been uploaded to the richmenu")
    menu.picture, menu.picture_type = picture, request.content_type
    return web.json_response({})


@routes.get("/v2/bot/richmenu/{menu}/content")
async def download(request: web.Request) -> web.Response:
    """The menu's picture back."""
    menu = _menu(request)
    if menu is None or not menu.picture:
        return refuse(404, "Not found")
    return web.Response(body=menu.picture, content_type=menu.picture_type)


@routes.post("/v2/bot/user/all/richmenu/{menu}")
async def set_default(request: web.Request) -> web.Response:
    """Show this menu to everybody."""
    menu = _menu(request)
    if menu is None:
        return refuse(404, "richmenu not found")
    if not menu.picture:
        return refuse(400, "must upload richmenu image before applying it to user")
    request[CHANNEL].default_menu = menu.menu_id
    request.app[WORLD].bell.ring()
    return web.json_response({})


@routes.get("/v2/bot/user/all/richmenu")
async def load_default(request: web.Request) -> web.Response:
    """The menu that everybody sees."""
    menu_id = request[CHANNEL].default_menu
    if menu_id is None:
        return refuse(404, "no default richmenu")
    return web.json_response({"richMenuId": menu_id})


@routes.delete("/v2/bot/user/all/richmenu")
async def clear_default(request: web.Request) -> web.Response:
    """Show no menu."""
    request[CHANNEL].default_menu = None
    request.app[WORLD].bell.ring()
    return web.json_response({})


@routes.post("/v2/bot/user/{user}/richmenu/{menu}")
async def link(request: web.Request) -> web.Response:
    """Show a menu to one person."""
    menu = _menu(request)
    if menu is None:
        return refuse(404, "richmenu not found")
    request[CHANNEL].menu_of_person[request.match_info["user"]] = menu.menu_id
    request.app[WORLD].bell.ring()
    return web.json_response({})


@routes.delete("/v2/bot/user/{user}/richmenu")
async def unlink(request: web.Request) -> web.Response:
    """Show that person the common menu again."""
    request[CHANNEL].menu_of_person.pop(request.match_info["user"], None)
    request.app[WORLD].bell.ring()
    return web.json_response({})


def menu_for(channel: Channel, user_id: str) -> RichMenu | None:
    """The menu that a person sees: the own one before the common one."""
    menu_id = channel.menu_of_person.get(user_id, channel.default_menu)
    return channel.menus.get(menu_id) if menu_id else None


def _menu(request: web.Request) -> RichMenu | None:
    return request[CHANNEL].menus.get(request.match_info["menu"])


def _shown(menu: RichMenu) -> dict[str, Any]:
    return {"richMenuId": menu.menu_id, **menu.body}


def _wrong(body: Any) -> str:
    size, areas = body.get("size", {}), body.get("areas")
    width, height = size.get("width", 0), size.get("height", 0)
    if not 800 <= width <= 2500 or height < 250 or width / height < 1.45:  # noqa: PLR2004 -- LINE's own numbers
        return "invalid richmenu size"
    if not isinstance(areas, list) or len(areas) > 20:  # noqa: PLR2004 -- LINE's own number
        return "Size must be between 0 and 20: areas"
    if not 1 <= len(body.get("chatBarText", "")) <= 14:  # noqa: PLR2004 -- LINE's own number
        return "Length must be between 1 and 14: chatBarText"
    for area in areas:
        bounds = area.get("bounds", {})
        right = bounds.get("x", 0) + bounds.get("width", 0)
        bottom = bounds.get("y", 0) + bounds.get("height", 0)
        if right > width or bottom > height:
            return "area is outside of the richmenu"
    return ""
