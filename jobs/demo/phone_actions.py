"""What a customer does on the phone page: write, tap, scan, add a pass."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from jobs.demo.google_wallet import SaveRefused
from jobs.demo.line_world import Webhook
from jobs.demo.pass_file import BadPass
from jobs.demo.phone_parts import DemoParts
from jobs.demo.phone_view import prefilled
from jobs.demo.shop_file import PLACE

PARTS = web.AppKey("PARTS", DemoParts)
SAVED = web.AppKey("SAVED", list[str])
WEB = web.AppKey("WEB", aiohttp.ClientSession)
_SAVE_LINK = re.compile(r"/gp/v/save/([\w.=-]+)")
_LONGEST_TEXT = 5000
# Three kilometres to the north, in degrees.
_SOME_WAY = 0.027

routes = web.RouteTableDef()


@routes.post("/say")
async def say_text(request: web.Request) -> web.Response:
    """Send a text message."""
    body, parts = await request.json(), request.app[PARTS]
    text = str(body["text"]).strip()[:_LONGEST_TEXT]
    if not text:
        raise web.HTTPBadRequest
    return _taken(await parts.line.say(parts.channel_id, parts.user_id, text))


@routes.post("/place")
async def send_place(request: web.Request) -> web.Response:
    """Send where one is: in the shop, or `{"is_there": false}` some way off."""
    body, parts = await request.json(), request.app[PARTS]
    latitude, longitude = PLACE
    if not body.get("is_there"):
        latitude += _SOME_WAY
    place = (parts.channel_id, parts.user_id, latitude, longitude)
    return _taken(await parts.line.send_place(*place))


@routes.post("/follow")
async def follow(request: web.Request) -> web.Response:
    """Add the shop as a friend; with `{"block": true}` block it."""
    body, parts = await request.json(), request.app[PARTS]
    act = parts.line.unfollow if body.get("block") else parts.line.follow
    return _taken(await act(parts.channel_id, parts.user_id))


@routes.post("/postback")
async def postback(request: web.Request) -> web.Response:
    """Tap a button that carries data; `params` are a picked date."""
    body, parts = await request.json(), request.app[PARTS]
    done = await parts.line.postback(
        parts.channel_id,
        parts.user_id,
        str(body["data"]),
        display_text=str(body.get("displayText") or ""),
        params=body.get("params"),
    )
    return _taken(done)


@routes.post("/scan")
async def scan(request: web.Request) -> web.Response:
    """What scanning or typing `code` puts into the chat's input; nothing is sent."""
    code = str((await request.json())["code"]).strip()
    if "://" in code:
        text = prefilled(code)
    elif code.upper().startswith("STAMP"):
        text = code
    else:
        text = f"STAMP {code}" if code else ""
    return web.json_response({"text": text}, status=200 if text else 400)


@routes.post("/wallet/apple")
async def add_apple(request: web.Request) -> web.Response:
    """Add the pass behind an add-to-wallet link to the iPhone."""
    parts = request.app[PARTS]
    url = _link(parts, await request.json()) + ".pkpass"
    try:
        serial = await parts.phone.add(url)
    except (BadPass, aiohttp.ClientError, TimeoutError) as error:
        return web.json_response({"problem": str(error)}, status=502)
    return web.json_response({"serial": serial})


@routes.post("/wallet/apple/remove")
async def remove_apple(request: web.Request) -> web.Response:
    """Delete a pass from the iPhone."""
    serial, parts = str((await request.json())["serial"]), request.app[PARTS]
    if serial not in parts.phone.passes:
        raise web.HTTPNotFound
    try:
        await parts.phone.remove(serial)
    except (aiohttp.ClientError, TimeoutError) as error:
        return web.json_response({"problem": str(error)}, status=502)
    return web.json_response({})


@routes.post("/wallet/google")
async def add_google(request: web.Request) -> web.Response:
    """Save the pass behind an add-to-wallet link on the Android phone."""
    parts, saved = request.app[PARTS], request.app[SAVED]
    if parts.google is None:
        raise web.HTTPNotFound
    url = _link(parts, await request.json()) + "/google"
    try:
        async with request.app[WEB].get(url, allow_redirects=False) as answer:
            found = _SAVE_LINK.search(answer.headers.get("Location", ""))
        if found is None:
            return web.json_response(
                {"problem": f"no save link: {answer.status}"}, status=502
            )
        object_id = await parts.google.save(found[1])
    except (SaveRefused, aiohttp.ClientError, TimeoutError) as error:
        return web.json_response({"problem": str(error)}, status=502)
    if object_id not in saved:
        saved.append(object_id)
    parts.line.world.bell.ring()
    return web.json_response({"id": object_id})


def _link(parts: DemoParts, body: dict[str, Any]) -> str:
    """The link without its query; 400 for any but the shop's add-to-wallet links."""
    url = urlsplit(str(body.get("url", "")))
    ours = urlsplit(parts.service_url)
    if (url.scheme, url.netloc) != (ours.scheme, ours.netloc) or not re.fullmatch(
        r"/w/[\w.~-]+", url.path
    ):
        raise web.HTTPBadRequest
    return f"{url.scheme}://{url.netloc}{url.path}"


def _taken(done: Webhook) -> web.Response:
    return web.json_response({"status": done.status, "detail": done.detail})
