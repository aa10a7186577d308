"""The buttons of the webhooks on the page of `webhooks.merchant.machines`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from core.actions.hooks import (
    HOOK_SECRET,
    add_hook,
    change_events,
    load_hook,
    ping_hook,
    remove_hook,
    resend,
    resume_hook,
    roll_secret,
)
from core.errors import Invalid
from core.ids import new_id
from core.rules.hooks import (
    EVENTS,
    Hook,
    HookDeliveryId,
    HookId,
    check_events,
    check_url,
    is_allowed,
    may_stay_here,
)
from core.vault import new_token
from webhooks.forms import problems_in_words, text_of, texts_of
from webhooks.keys import CLOCK, DB, SETTINGS, VAULT
from webhooks.merchant.machines import Shown, Typed, back_with, machines_page
from webhooks.merchant.paths import MACHINES
from webhooks.pages import language_of
from webhooks.sessions import require_session

routes = web.RouteTableDef()

LOOK_UP_SECONDS = 5.0

# What a button does that needs nothing but the webhook, and what the page then says.
_BUTTONS: dict[str, tuple[Callable[..., object], str]] = {
    "ping": (ping_hook, "pinged"),
    "resume": (resume_hook, "resumed"),
    "remove": (remove_hook, "removed"),
}


@routes.post(f"{MACHINES}/hooks")
async def add(request: web.Request) -> web.Response:
    """Add a webhook and show its secret, this once."""
    session = require_session(request, "owner")
    parts, fields = request.config_dict, await request.post()
    url, events = text_of(fields, "url"), texts_of(fields, "events")
    now, secret = parts[CLOCK].now(), _new_secret()
    hook_id = HookId(new_id(now))
    merchant_id = session.merchant.id
    try:
        hook = Hook(
            id=hook_id,
            merchant_id=merchant_id,
            url=await _checked(request, url),
            events=check_events(events),
            sealed_secret=parts[VAULT].seal(secret, merchant_id, HOOK_SECRET, hook_id),
            created_at=now,
        )
        await parts[DB].write(add_hook, hook, session.staff.id)
    except Invalid as error:
        typed = Typed(
            texts={"url": url},
            events=tuple(event for event in EVENTS if event in events),
            problems=problems_in_words(error, language_of(request)),
        )
        return await machines_page(request, typed=typed)
    shown = Shown(kind="hook", name=url, value=secret)
    return await machines_page(request, shown=shown)


@routes.post(MACHINES + "/hooks/{hook_id:[0-9A-Z]{26}}")
async def change(request: web.Request) -> web.Response:
    """A button of one webhook."""
    session = require_session(request, "owner", "manager")
    parts, fields = request.config_dict, await request.post()
    hook_id, do = HookId(request.match_info["hook_id"]), text_of(fields, "do")
    where = (session.merchant.id, hook_id)
    who = (session.staff.id, parts[CLOCK].now())
    if do in _BUTTONS:
        act, done = _BUTTONS[do]
        await parts[DB].write(act, *where, *who)
        return back_with(done)
    if do != "events":
        raise web.HTTPBadRequest
    try:
        events = texts_of(fields, "events")
        await parts[DB].write(change_events, *where, events, *who)
    except Invalid as error:
        words = problems_in_words(error, language_of(request))
        problems = {f"{hook_id}.{name}": text for name, text in words.items()}
        return await machines_page(request, typed=Typed(problems=problems))
    return back_with("saved")


@routes.post(MACHINES + "/hooks/{hook_id:[0-9A-Z]{26}}/secret")
async def roll(request: web.Request) -> web.Response:
    """Make a new secret for a webhook and show it, this once."""
    session, parts = require_session(request, "owner"), request.config_dict
    merchant_id = session.merchant.id
    hook_id, secret = HookId(request.match_info["hook_id"]), _new_secret()
    sealed = parts[VAULT].seal(secret, merchant_id, HOOK_SECRET, hook_id)
    await parts[DB].write(
        roll_secret, merchant_id, hook_id, sealed, session.staff.id, parts[CLOCK].now()
    )
    hook = await parts[DB].read(load_hook, merchant_id, hook_id)
    shown = Shown(kind="hook", name=hook.url, value=secret)
    return await machines_page(request, shown=shown)


@routes.post(MACHINES + "/deliveries/{delivery_id:[0-9A-Z]{26}}/resend")
async def send_again(request: web.Request) -> web.Response:
    """Have one delivery of the log sent at once."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    await parts[DB].write(
        resend,
        session.merchant.id,
        HookDeliveryId(request.match_info["delivery_id"]),
        session.staff.id,
        parts[CLOCK].now(),
    )
    return back_with("resent")


def _new_secret() -> str:
    return f"whsec_{new_token()}"


async def _checked(request: web.Request, url: str) -> str:
    """The address, if it may be sent to. Raises `Invalid` for "url".

    The sender looks again at each connection: a name may lead elsewhere by then.
    """
    stays_here = may_stay_here(request.config_dict[SETTINGS].public_url)
    check_url(url, stays_here=stays_here)
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, parts.port or 443, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError):
        raise Invalid({"url": ("machines.invalid.dns", {})}) from None
    addresses = [str(place[0]) for *_, place in found]
    if not all(is_allowed(address, stays_here=stays_here) for address in addresses):
        raise Invalid({"url": ("machines.invalid.private", {})})
    return url
