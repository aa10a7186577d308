"""Another site must not act in the name of whoever is signed in here.

Two checks that fail apart from each other: where the request says it comes from, and
the token of the session, which another site cannot read.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from core.vault import same
from webhooks.forms import read_fields, text_of
from webhooks.keys import SETTINGS
from webhooks.sessions import current_session

log = structlog.get_logger()

TOKEN_FIELD = "csrf"  # noqa: S105 -- the name of a field, no secret
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 -- the name of a header, no secret

_SAFE = {"GET", "HEAD", "OPTIONS"}
# Machines that bring a signature or a key of their own and no cookie.
_MACHINES = ("/line/", "/google/", "/apple/", "/api/")


@web.middleware
async def refuse_forgery(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: a change comes from our own page, and carries its token."""
    if request.method in _SAFE or request.path.startswith(_MACHINES):
        return await handler(request)
    if not _is_own_page(request):
        log.warning("forgery_refused", check="origin", path=request.path)
        raise web.HTTPForbidden(reason="csrf")
    session = current_session(request)
    # Read here for everybody: handlers then find a form, or are not asked.
    fields = await read_fields(request)
    if session is not None:
        token = request.headers.get(TOKEN_HEADER) or text_of(fields, TOKEN_FIELD)
        if not same(unmasked(token), session.csrf):
            log.warning("forgery_refused", check="token", path=request.path)
            raise web.HTTPForbidden(reason="csrf")
    return await handler(request)


def masked(token: str) -> str:
    """The token in a form that is new on every page, so that pages may be packed.

    From the lengths of packed pages with the same secret an eavesdropper can guess it
    letter by letter (BREACH, CVE-2013-3587).
    """
    pad = secrets.token_bytes(len(token))
    mixed = bytes(a ^ b for a, b in zip(pad, token.encode(), strict=True))
    return f"{pad.hex()}.{mixed.hex()}"


def unmasked(text: str) -> str:
    """The token behind `masked`; any other text is taken as a token itself."""
    pad, dot, mixed = text.partition(".")
    if not dot:
        return text
    try:
        pairs = zip(bytes.fromhex(pad), bytes.fromhex(mixed), strict=True)
        return bytes(a ^ b for a, b in pairs).decode()
    except ValueError:
        return ""


def _is_own_page(request: web.Request) -> bool:
    """What browsers say of the asking page; clients that say nothing have no cookie
    jar that another site could borrow.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    public = urlsplit(request.config_dict[SETTINGS].public_url)
    asking = urlsplit(origin)
    return asking.netloc in {public.netloc, request.host} and asking.scheme != ""
