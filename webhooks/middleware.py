"""What surrounds every request, and in which order."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from webhooks.csrf import refuse_forgery
from webhooks.failures import answer_failures, route_of
from webhooks.keys import SETTINGS
from webhooks.limits import client_ip
from webhooks.metrics import measure
from webhooks.sessions import find_session

log = structlog.get_logger()

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=()",
}
_STAFF = ("/merchant", "/till", "/c/")
_QUIET = {"/healthz", "/readyz", "/metrics", "/static/{name}"}


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: security headers, also on streams and errors.

    A handler's own value stays; a page that must leave for another site with a form
    names it in a policy of its own.
    """
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.config_dict[SETTINGS].is_https:
        response.headers.setdefault(
            "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
        )
    if request.path.startswith(_STAFF) or response.content_type == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    # Which versions run here is nobody's business.
    response.headers["Server"] = "stampcard"


@web.middleware
async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: one line a request: sender, time, method, path's template, status.

    That is what LINE asks services to keep of each webhook
    (https://developers.line.biz/en/docs/messaging-api/development-guidelines/), and
    all: queries, bodies, cookies and the paths themselves can carry secrets.
    """
    started = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as redirect:
        status = redirect.status
        raise
    finally:
        route = route_of(request)
        write = log.debug if route in _QUIET else log.info
        write(
            "request",
            method=request.method,
            route=route,
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            ip=client_ip(request),
        )


# From the outside in.
MIDDLEWARES: Sequence[Middleware] = (
    measure,  # the whole time, with all that follows
    log_request,  # first, so that it sees the status that really went out
    answer_failures,  # around all that may fail, also the two below
    find_session,  # before whatever asks who is there
    refuse_forgery,  # last: it compares with the session's token
)
