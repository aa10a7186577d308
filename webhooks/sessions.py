"""Who is signed in in this browser. Passwords are checked in `webhooks.signin`.

A browser may be a till for months and a settings page for an hour, so each kind has a
cookie of its own: a tablet on the counter never opens the settings by being a till.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from core.actions.signin import (
    LONGEST,
    Session,
    SessionKind,
    end_session,
    load_session,
    needs_touch,
    touch_session,
)
from core.config import Settings
from core.database import Tx
from core.rules.types import Role
from core.vault import hash_token
from webhooks.keys import CLOCK, DB, SETTINGS

_SESSION = web.RequestKey("session", Session)

_COOKIES: dict[SessionKind, str] = {"settings": "sid", "till": "till"}
# Settings pages take a settings session only. Everywhere else the till's comes first.
_SETTINGS_ROOM = "/merchant"
_ROOMS = (_SETTINGS_ROOM, "/till", "/c/")


class RoleNeeded(web.HTTPForbidden):
    """Signed in, but not as one of these `roles`; the page says who may."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        super().__init__()
        self.roles = roles


def current_session(request: web.Request) -> Session | None:
    """Who is signed in, or None."""
    return request.get(_SESSION)


def require_session(request: web.Request, *roles: Role) -> Session:
    """Who is signed in; any role where none is named.

    Raises a redirect to the sign-in page, which leads back here, or `RoleNeeded`.
    """
    session = current_session(request)
    if session is None:
        raise web.HTTPSeeOther(signin_path(request))
    if roles and session.staff.role not in roles:
        raise RoleNeeded(roles)
    return session


def signin_path(request: web.Request) -> str:
    """Where to sign in for this page, and come back to it."""
    room = _SETTINGS_ROOM if _is_settings(request.path) else "/till"
    # A form that was posted cannot be asked for again.
    back = request.path_qs if request.method in {"GET", "HEAD"} else f"{room}/"
    return f"{room}/signin?next={quote(back, safe='')}"


@web.middleware
async def find_session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: load the session of this browser for staff pages."""
    if not request.path.startswith(_ROOMS):
        return await handler(request)
    now = request.config_dict[CLOCK].now()
    for kind in _kinds(request.path):
        token = request.cookies.get(cookie_name(request.config_dict[SETTINGS], kind))
        session = token and await _load(request, hash_token(token), now)
        if session and session.kind == kind:
            request[_SESSION] = session
            break
    return await handler(request)


def remember(
    response: web.StreamResponse, settings: Settings, kind: SessionKind, token: str
) -> None:
    """Give the browser its session token."""
    response.set_cookie(
        cookie_name(settings, kind),
        token,
        max_age=int(LONGEST[kind].total_seconds()),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )


async def sign_out(request: web.Request) -> web.Response:
    """End the session of this page; back to its sign-in page."""
    session = current_session(request)
    room = _SETTINGS_ROOM if _is_settings(request.path) else "/till"
    response = web.Response(status=303, headers={"Location": f"{room}/signin"})
    if session is not None:
        settings = request.config_dict[SETTINGS]
        await request.config_dict[DB].write(end_session, session.token_hash)
        response.del_cookie(
            cookie_name(settings, session.kind),
            path="/",
            secure=settings.is_https,
            httponly=True,
            samesite="Lax",
        )
    return response


def cookie_name(settings: Settings, kind: SessionKind) -> str:
    """The prefix makes browsers refuse the cookie from another host or without TLS."""
    return f"__Host-{_COOKIES[kind]}" if settings.is_https else _COOKIES[kind]


def _kinds(path: str) -> tuple[SessionKind, ...]:
    return ("settings",) if _is_settings(path) else ("till", "settings")


def _is_settings(path: str) -> bool:
    return path == _SETTINGS_ROOM or path.startswith(f"{_SETTINGS_ROOM}/")


async def _load(request: web.Request, token_hash: str, now: datetime) -> Session | None:
    db = request.config_dict[DB]
    session, is_stale = await db.read(_look, token_hash, now)
    if session is not None and is_stale:
        await db.write(touch_session, token_hash, now)
    return session


def _look(tx: Tx, token_hash: str, now: datetime) -> tuple[Session | None, bool]:
    return load_session(tx, token_hash, now), needs_touch(tx, token_hash, now)
