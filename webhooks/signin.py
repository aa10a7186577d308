"""Signing in, for the settings page and the till alike."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from aiohttp import web

from core.actions.merchants import load_merchant
from core.actions.signin import (
    Login,
    SessionKind,
    end_session,
    logins,
    note_failed_login,
    start_session,
)
from core.rules.types import Language, Staff
from core.vault import check_password, hash_token, new_token
from core.wording import LANGUAGES, say
from webhooks.forms import local_path, text_of
from webhooks.keys import CLOCK, DB, LINKS, SETTINGS
from webhooks.limits import TryLimit, client_ip, limit_key
from webhooks.pages import language_of, render
from webhooks.sessions import current_session, remember

log = structlog.get_logger()

# Sixteen checks at once would hold 300 MB and both cores of a small machine.
_CHECKS = web.AppKey("password_checks", asyncio.Semaphore)
_LIMIT = web.AppKey("signin_limit", TryLimit)

_TRIES_AT_ONCE = 20  # a shop's staff share one address
_SECONDS_A_TRY = 10.0
_CHOICE_LIVES = timedelta(minutes=5)
_LONGEST_PASSWORD = 1024
_MINUTE = 60
_HOME: dict[SessionKind, str] = {"settings": "/merchant/", "till": "/till/"}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why nobody was signed in; `until`: when to try again."""

    key: str
    until: datetime | None = None


def set_up_signin(app: web.Application) -> None:
    """Give the app what limits sign-ins."""
    app[_CHECKS] = asyncio.Semaphore(2)
    app[_LIMIT] = TryLimit(_TRIES_AT_ONCE, _SECONDS_A_TRY)


async def sign_in(request: web.Request, kind: SessionKind) -> web.Response:
    """GET: the form. POST: check it, then go to its `next` path of this site."""
    if request.method != "POST":
        return _form(request, kind)
    fields = await request.post()
    if text_of(fields, "choice"):
        return await _finish_choice(request, kind)
    now = request.config_dict[CLOCK].now()
    limit, address = request.config_dict[_LIMIT], limit_key(client_ip(request))
    wait = limit.take(address, now)
    if wait:
        log.warning("signin_limited", ip=client_ip(request))
        until = now + timedelta(seconds=wait)
        return _form(request, kind, _Refusal("many", until), text_of(fields, "email"))
    email = text_of(fields, "email")
    found = await _check(request, email, _password(fields.get("password")), now)
    if isinstance(found, _Refusal):
        return _form(request, kind, found, email)
    limit.give_back(address, now)
    if len(found) > 1:
        return await _offer_choice(request, kind, found)
    return await _start(request, kind, found[0])


async def _check(
    request: web.Request, email: str, password: str, now: datetime
) -> list[Staff] | _Refusal:
    db = request.config_dict[DB]
    known = await db.read(logins, email) if email.isprintable() else []
    open_to_try = [k for k in known if not k.locked_until or k.locked_until <= now]
    if known and not open_to_try:
        return _Refusal("locked", min(k.locked_until or now for k in known))
    # Nobody's password is checked too: an unknown address must take as long.
    hashes: list[str | None] = [k.password_hash for k in open_to_try]
    hashes = hashes or [None]
    async with request.config_dict[_CHECKS]:
        right = [
            await asyncio.to_thread(check_password, hashed, password)
            for hashed in hashes
        ]
    matched = [k for k, is_right in zip(open_to_try, right, strict=False) if is_right]
    if matched:
        return [k.staff for k in matched]
    for login in open_to_try:
        await db.write(note_failed_login, login.staff, now)
    return await _refusal_after(request, email, open_to_try, now)


async def _refusal_after(
    request: web.Request, email: str, tried: Sequence[Login], now: datetime
) -> _Refusal:
    known = await request.config_dict[DB].read(logins, email) if tried else []
    locks = [k.locked_until for k in known if k.locked_until and k.locked_until > now]
    if locks and len(locks) == len(known):
        return _Refusal("locked", min(locks))
    return _Refusal("wrong")


async def _start(request: web.Request, kind: SessionKind, staff: Staff) -> web.Response:
    parts = request.config_dict
    fields = await request.post()
    token, now = new_token(), parts[CLOCK].now()
    old = current_session(request)
    if old is not None and old.kind == kind:
        await parts[DB].write(end_session, old.token_hash)
    language = _language(request, text_of(fields, "lang"))
    await parts[DB].write(start_session, staff, hash_token(token), kind, language, now)
    target = local_path(text_of(fields, "next"), _HOME[kind])
    response = web.Response(status=303, headers={"Location": target})
    remember(response, parts[SETTINGS], kind, token)
    return response


async def _offer_choice(
    request: web.Request, kind: SessionKind, people: Sequence[Staff]
) -> web.Response:
    """One address and password at several merchants: ask which one it is to be."""
    db = request.config_dict[DB]
    merchants = [(s.id, await db.read(load_merchant, s.merchant_id)) for s in people]
    ids = json.dumps([[s.id, s.email] for s in people])
    choice = request.config_dict[LINKS].sign(f"signin.{kind}", ids)
    context = {"choice": choice, "people": [(i, m.name) for i, m in merchants]}
    return _page(request, kind, context, _language(request, ""))


async def _finish_choice(request: web.Request, kind: SessionKind) -> web.Response:
    fields = await request.post()
    parts = request.config_dict
    now = parts[CLOCK].now()
    ids = parts[LINKS].read(
        f"signin.{kind}", text_of(fields, "choice"), lives=_CHOICE_LIVES, now=now
    )
    wanted = text_of(fields, "staff")
    for staff_id, email in json.loads(ids or "[]"):
        if staff_id == wanted:
            for login in await parts[DB].read(logins, email):
                if login.staff.id == wanted:
                    return await _start(request, kind, login.staff)
    return _form(request, kind, _Refusal("again"))


def _form(
    request: web.Request,
    kind: SessionKind,
    refusal: _Refusal | None = None,
    email: str = "",
) -> web.Response:
    language = _language(request, "")
    context: dict[str, object] = {"email": email}
    if refusal is None:
        return _page(request, kind, context, language)
    now = request.config_dict[CLOCK].now()
    seconds = math.ceil((refusal.until - now).total_seconds()) if refusal.until else 0
    unit = "seconds" if seconds < _MINUTE else "minutes"
    count = seconds if unit == "seconds" else math.ceil(seconds / _MINUTE)
    wait = say(f"web.signin.{unit}", language, n=count)
    context["problem"] = say(f"web.signin.{refusal.key}", language, wait=wait)
    status = 429 if refusal.until else 401
    response = _page(request, kind, context, language, status)
    if refusal.until:
        response.headers["Retry-After"] = str(seconds)
    return response


def _page(
    request: web.Request,
    kind: SessionKind,
    context: Mapping[str, object],
    language: Language,
    status: int = 200,
) -> web.Response:
    wanted = str(request.query.get("next", ""))
    empty = {"email": "", "problem": "", "choice": "", "people": ()}
    page = {"kind": kind, "next": local_path(wanted, _HOME[kind])}
    return render(
        request,
        "signin.html",
        {**empty, **page, **context},
        status=status,
        language=language,
    )


def _language(request: web.Request, chosen: str) -> Language:
    wanted = chosen or request.query.get("lang", "")
    return next((lang for lang in LANGUAGES if lang == wanted), language_of(request))


def _password(value: object) -> str:
    # Not stripped: a space at the end is part of a password. Argon2 of a megabyte of
    # text would be a cheap way to keep the machine busy.
    return value[:_LONGEST_PASSWORD] if isinstance(value, str) else ""
