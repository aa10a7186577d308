"""Who is signed in in this browser. Passwords are checked in `webhooks.signin`, PINs in
`webhooks.till.shift`.

A browser may be a till for months and a settings page for an hour, so each kind has a
cookie of its own: a tablet on the counter never opens the settings by being a till.
A shop's device has one more, which says what it is and not who stands there: that is
the shift, which is good on this device only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
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
)
from core.actions.tills import (
    TOUCH_AFTER,
    Device,
    device_of_token,
    end_shift,
    touch_till,
)
from core.config import Settings
from core.database import Tx
from core.rules.types import Role
from core.vault import hash_token
from webhooks.keys import CLOCK, DB, SETTINGS

_SESSION = web.RequestKey("session", Session)
_DEVICE = web.RequestKey("device", Device)

# The longest that browsers keep a cookie; each use begins it anew.
DEVICE_LASTS = timedelta(days=400)
_DEVICE_COOKIE = "till_device"
_COOKIES: dict[SessionKind, str] = {"settings": "sid", "till": "till"}
# Settings pages take a settings session only. Everywhere else the till's comes first.
_SETTINGS_ROOM = "/merchant"
_ROOMS = (_SETTINGS_ROOM, "/till", "/c/")


@dataclass(frozen=True, slots=True)
class _Here:
    """What a browser's cookies say, and whether to note that it was seen."""

    device: Device | None
    session: Session | None
    is_stale: bool


class RoleNeeded(web.HTTPForbidden):
    """Signed in, but not as one of these `roles`; the page says who may."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        super().__init__()
        self.roles = roles


def current_session(request: web.Request) -> Session | None:
    """Who is signed in, or None."""
    return request.get(_SESSION)


def current_device(request: web.Request) -> Device | None:
    """The shop's device that this browser is, or None."""
    return request.get(_DEVICE)


def require_session(request: web.Request, *roles: Role) -> Session:
    """Who is signed in; any role where none is named.

    Raises a redirect to where one signs in here, which leads back, or `RoleNeeded`.
    """
    session = current_session(request)
    if session is None:
        raise web.HTTPSeeOther(signin_path(request))
    if roles and session.staff.role not in roles:
        raise RoleNeeded(roles)
    return session


def scanner_of(session: Session) -> str:
    """The browser that scans, by the same name each time: the shop's device, whoever
    is on shift, or whoever is signed in.
    """
    if session.device_id is not None:
        return f"device:{session.device_id}"
    return f"session:{session.token_hash}"


def signin_path(request: web.Request) -> str:
    """Where to sign in for this page, and come back to it: by PIN on a device."""
    room = _SETTINGS_ROOM if _is_settings(request.path) else "/till"
    # A form that was posted cannot be asked for again.
    back = request.path_qs if request.method in {"GET", "HEAD"} else f"{room}/"
    page = "shift" if current_device(request) is not None else "signin"
    return f"{room}/{page}?next={quote(back, safe='')}"


@web.middleware
async def find_session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: load the session of this browser for staff pages."""
    if not request.path.startswith(_ROOMS):
        return await handler(request)
    here = await _look_here(request)
    if here.session is not None:
        request[_SESSION] = here.session
    if here.device is None:
        return await handler(request)
    request[_DEVICE] = here.device
    if here.session is None and request.path.startswith("/c/"):
        # Staff scanned a customer's code: who they are comes first.
        raise web.HTTPSeeOther(signin_path(request))
    response = await handler(request)
    settings = request.config_dict[SETTINGS]
    name = device_cookie(settings)
    # The page that makes this browser another device has set another.
    is_free = not response.prepared and name not in response.cookies
    if here.is_stale and is_free:
        remember_device(response, settings, request.cookies[name])
    return response


async def is_still_here(request: web.Request) -> bool:
    """May a stream to this page go on? Ask it now and then: it also says that the till
    was seen. True for pages that nobody signed in to.
    """
    known = current_session(request)
    if known is None:
        return True
    found = (await _look_here(request)).session
    return found is not None and found.token_hash == known.token_hash


def remember_device(
    response: web.StreamResponse, settings: Settings, token: str
) -> None:
    """Make the browser the device of this token, for as long as browsers allow."""
    _set_cookie(response, settings, device_cookie(settings), token, DEVICE_LASTS)


def remember(
    response: web.StreamResponse, settings: Settings, kind: SessionKind, token: str
) -> None:
    """Give the browser its session token."""
    _set_cookie(response, settings, cookie_name(settings, kind), token, LONGEST[kind])


async def sign_out(request: web.Request) -> web.Response:
    """End the session of this page; back to its sign-in page.

    On a device this ends the shift; the device stays.
    """
    session = current_session(request)
    room = _SETTINGS_ROOM if _is_settings(request.path) else "/till"
    page = "signin" if current_device(request) is None else "shift"
    response = web.Response(status=303, headers={"Location": f"{room}/{page}"})
    if session is not None:
        settings, db = request.config_dict[SETTINGS], request.config_dict[DB]
        if session.device_id is None:
            await db.write(end_session, session.token_hash)
        else:
            await db.write(end_shift, session, request.config_dict[CLOCK].now())
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
    return _prefixed(settings, _COOKIES[kind])


def device_cookie(settings: Settings) -> str:
    """What the cookie is called that says which device a browser is."""
    return _prefixed(settings, _DEVICE_COOKIE)


def _prefixed(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if settings.is_https else name


def _set_cookie(
    response: web.StreamResponse,
    settings: Settings,
    name: str,
    value: str,
    lasts: timedelta,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )


def _kinds(path: str) -> tuple[SessionKind, ...]:
    return ("settings",) if _is_settings(path) else ("till", "settings")


def _is_settings(path: str) -> bool:
    return path == _SETTINGS_ROOM or path.startswith(f"{_SETTINGS_ROOM}/")


async def _look_here(request: web.Request) -> _Here:
    parts = request.config_dict
    settings, db, now = parts[SETTINGS], parts[DB], parts[CLOCK].now()
    names = {kind: cookie_name(settings, kind) for kind in _kinds(request.path)}
    hashes = {
        kind: hash_token(request.cookies[name])
        for kind, name in names.items()
        if name in request.cookies
    }
    # The settings do not ask what a browser is, only who sits there.
    is_settings = _is_settings(request.path)
    token = "" if is_settings else request.cookies.get(device_cookie(settings), "")
    if not hashes and not token:
        return _Here(None, None, is_stale=False)
    here = await db.read(_look, token and hash_token(token), hashes, now)
    if here.is_stale and not _only_watches(request, here.session):
        used = here.session.token_hash if here.session else None
        await db.write(touch_till, here.device, used, now)
    return here


def _only_watches(request: web.Request, session: Session | None) -> bool:
    # A page left open is somebody at a till, and nobody at the settings.
    is_stream = request.path.endswith("/events")
    return is_stream and session is not None and session.kind == "settings"


def _look(
    tx: Tx, device_hash: str, hashes: dict[SessionKind, str], now: datetime
) -> _Here:
    device = device_of_token(tx, device_hash) if device_hash else None
    is_stale = device is not None and _is_old(device.seen_at, now)
    for kind, token_hash in hashes.items():
        session = load_session(tx, token_hash, now)
        # A shift is good on its own device only; and there, nothing else is: whoever
        # is signed in to the settings in the same browser is not on shift for that.
        mine = device.id if device is not None else None
        if session and session.kind == kind and session.device_id == mine:
            is_stale = is_stale or needs_touch(tx, token_hash, now)
            return _Here(device, session, is_stale)
    return _Here(device, None, is_stale)


def _is_old(seen_at: datetime | None, now: datetime) -> bool:
    return seen_at is None or now - seen_at > TOUCH_AFTER
