"""The phone page: one customer's LINE chat and Wallet, in a browser.

It is the demo's window, on a loopback port of its own. It knows the shop only through
the stand-ins, as a customer's phone would.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from urllib.parse import urlsplit

import aiohttp
import jinja2
import qrcode
from aiohttp import web

from core.rules.types import Language
from core.wording import keys, pick_language, say
from jobs.demo.bell import Bell
from jobs.demo.line_menus import menu_for
from jobs.demo.phone_actions import PARTS, SAVED, WEB
from jobs.demo.phone_actions import routes as actions
from jobs.demo.phone_parts import DemoParts
from jobs.demo.phone_view import PICTURES, google_passes, state

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BELL = web.AppKey("BELL", Bell)
CLOSING = web.AppKey("CLOSING", asyncio.Event)
PAGES = web.AppKey("PAGES", jinja2.Environment)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_WORDS = "demo.page."
_LOOK_EVERY = 1.0
_LONGEST_CODE = 1000

routes = web.RouteTableDef()


def phone_app(parts: DemoParts) -> web.Application:
    """The page as an application of its own; serve it on a loopback port."""
    app = web.Application(middlewares=[_guard])
    app[PARTS] = parts
    app[SAVED] = []
    app[BELL] = Bell()
    app[CLOSING] = asyncio.Event()
    app[PAGES] = jinja2.Environment(
        loader=jinja2.PackageLoader("jobs.demo"), autoescape=True
    )
    parts.line.world.bell.listeners.append(app[BELL].ring)
    parts.phone.bell.listeners.append(app[BELL].ring)
    if parts.google is not None:
        parts.google.on_change = lambda _: app[BELL].ring()
    app.add_routes(routes)
    app.add_routes(actions)
    app.router.add_static("/static/", str(files("jobs.demo").joinpath("static")))
    app.cleanup_ctx.append(_web)
    app.on_shutdown.append(_close_streams)
    return app


@routes.get("/")
async def page(request: web.Request) -> web.Response:
    """The page itself; ?lang=en switches."""
    language = _language(request)
    _speak(request.app[PARTS], language)
    text = (
        request.app[PAGES]
        .get_template("phone.html")
        .render(
            language=language,
            words=_words(language),
            parts=request.app[PARTS],
            other="en" if language == "ja" else "ja",
        )
    )
    return web.Response(text=text, content_type="text/html")


@routes.get("/words")
async def words(request: web.Request) -> web.Response:
    """The page's sentences, for its script."""
    return web.json_response(_words(_language(request)))


@routes.get("/state")
async def show_state(request: web.Request) -> web.Response:
    """Everything there is to draw now."""
    app = request.app
    codes = await app[PARTS].open_codes()
    return web.json_response(state(app[PARTS], codes, app[SAVED], _language(request)))


@routes.get("/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Says "change" when the page should look again (server-sent events)."""
    app = request.app
    stream = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await stream.prepare(request)
    seen: object = None
    while not app[CLOSING].is_set():
        codes = [code["code"] for code in await app[PARTS].open_codes()]
        # The phone itself makes a new code now and then.
        drawn = google_passes(app[PARTS], app[SAVED], _language(request))
        codes += [each["code"] for each in drawn]
        if (now := (app[BELL].n_rings, codes)) != seen:
            seen = now
            await stream.write(f"data: {json.dumps(now[0])}\n\n".encode())
        await _next_ring(app, now[0])
    return stream


@routes.get("/pass/{serial}/{name}")
async def picture_of_pass(request: web.Request) -> web.Response:
    """A picture out of a .pkpass on the phone."""
    held = request.app[PARTS].phone.passes.get(request.match_info["serial"])
    name = request.match_info["name"]
    found = held.file.picture(name, _language(request)) if held else None
    if found is None or name not in PICTURES:
        raise web.HTTPNotFound
    return web.Response(body=found, content_type="image/png")


@routes.get("/menu/{menu}")
async def picture_of_menu(request: web.Request) -> web.Response:
    """The picture of the rich menu that the person sees."""
    parts = request.app[PARTS]
    menu = menu_for(parts.line.world.channel(parts.channel_id), parts.user_id)
    if menu is None or menu.menu_id != request.match_info["menu"]:
        raise web.HTTPNotFound
    return web.Response(body=menu.picture, content_type=menu.picture_type)


@routes.get("/picture")
async def picture_of_service(request: web.Request) -> web.Response:
    """A picture of the service (Flex, Google): LINE and Google fetch them likewise."""
    url = request.query.get("url", "")
    wanted, ours = urlsplit(url), urlsplit(request.app[PARTS].service_url)
    if (wanted.scheme, wanted.netloc) != (ours.scheme, ours.netloc):
        raise web.HTTPNotFound
    try:
        async with request.app[WEB].get(url) as answer:
            body, kind = await answer.read(), answer.content_type
    except (aiohttp.ClientError, TimeoutError) as error:
        raise web.HTTPBadGateway from error
    if answer.status != 200 or not kind.startswith("image/"):  # noqa: PLR2004 -- HTTP's OK
        raise web.HTTPNotFound
    return web.Response(body=body, content_type=kind)


@routes.get("/qr.svg")
async def qr(request: web.Request) -> web.Response:
    """`text` as a QR code."""
    text = request.query.get("text", "")
    if not 0 < len(text) <= _LONGEST_CODE:
        raise web.HTTPBadRequest
    return web.Response(text=_drawn(text), content_type="image/svg+xml")


def _drawn(text: str) -> str:
    code = qrcode.QRCode(border=0, error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(text)
    code.make(fit=True)
    dots = code.get_matrix()
    path = "".join(
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(dots)
        for x, dark in enumerate(row)
        if dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(dots)} {len(dots)}"'
        f' shape-rendering="crispEdges"><path d="{path}"/></svg>'
    )


def _speak(parts: DemoParts, language: Language) -> None:
    """Set the customer's phones to the reader's language, until a friend was made."""
    parts.phone.language = language
    person = parts.line.world.people[parts.user_id]
    if not person.met:
        person.language = language


async def _next_ring(app: web.Application, since: int) -> None:
    """Wait for a ring, at most a second: codes ring no bell here."""
    bell, closing = app[BELL], app[CLOSING]
    try:
        await bell.until(
            lambda: closing.is_set() or bell.n_rings != since or None, _LOOK_EVERY
        )
    except TimeoutError:
        return


async def _web(app: web.Application) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        app[WEB] = session
        yield


async def _close_streams(app: web.Application) -> None:
    app[CLOSING].set()
    app[BELL].ring()


def _language(request: web.Request) -> Language:
    return pick_language(request.query.get("lang"))


def _words(language: Language) -> dict[str, str]:
    return {
        key.removeprefix(_WORDS): say(key, language)
        for key in keys(language)
        if key.startswith(_WORDS)
    }


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No other site may drive the page, neither by a form nor by a name of its own."""
    if urlsplit(f"//{request.host}").hostname not in _HOSTS:
        raise web.HTTPForbidden(text="open this page as http://localhost")
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    answer = await handler(request)
    if not answer.prepared:
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers.setdefault("Cache-Control", "no-store")
    return answer
