"""What connects other systems: API keys, webhooks, and how their deliveries went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from core.actions.hooks import (
    LOG_LENGTH,
    LoggedDelivery,
    list_deliveries,
    list_hooks,
)
from core.actions.keys import MAX_NAME, ApiKey, list_api_keys, make_key, revoke_key
from core.database import Tx
from core.errors import Invalid
from core.rules.hooks import EVENTS, MAX_HOOKS, MAX_URL, Hook
from core.rules.types import MerchantId
from core.vault import hash_token, new_token
from core.wording import say_day, say_time
from webhooks.forms import problems_in_words, text_of
from webhooks.keys import CLOCK, DB
from webhooks.merchant.paths import MACHINES
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_DONE = {"revoked", "saved", "pinged", "resumed", "removed", "resent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value that is on the page this once: an API key, or a webhook's secret."""

    kind: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed that could not be kept, and why."""

    texts: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = EVENTS
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machines:
    keys: list[ApiKey]
    hooks: list[Hook]
    log: list[LoggedDelivery]


@routes.get(MACHINES)
async def show_machines(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner", "manager")
    return await machines_page(request)


@routes.post(f"{MACHINES}/keys")
async def make_api_key(request: web.Request) -> web.Response:
    """Make an API key and show its value, this once."""
    session = require_session(request, "owner")
    parts, fields = request.config_dict, await request.post()
    name, value = text_of(fields, "name"), f"sk_{new_token()}"
    try:
        await parts[DB].write(
            make_key,
            session.merchant.id,
            name,
            hash_token(value),
            session.staff.id,
            parts[CLOCK].now(),
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        typed = Typed(texts={"name": name}, problems=problems)
        return await machines_page(request, typed=typed)
    shown = Shown(kind="key", name=name, value=value)
    return await machines_page(request, shown=shown)


@routes.post(MACHINES + "/keys/{key_id:[0-9A-Z]{26}}/revoke")
async def revoke_api_key(request: web.Request) -> web.Response:
    """End an API key; the form has asked whether that is meant."""
    session, parts = require_session(request, "owner"), request.config_dict
    await parts[DB].write(
        revoke_key,
        session.merchant.id,
        request.match_info["key_id"],
        session.staff.id,
        parts[CLOCK].now(),
    )
    return back_with("revoked")


def back_with(done: str) -> web.Response:
    """To the page again, which says what was done."""
    return web.Response(status=303, headers={"Location": f"{MACHINES}?done={done}"})


async def machines_page(
    request: web.Request,
    *,
    shown: Shown | None = None,
    typed: Typed | None = None,
) -> web.Response:
    """The page, with a fresh secret or with what could not be kept."""
    session, parts = require_session(request), request.config_dict
    found = await parts[DB].read(_load, session.merchant.id)
    language, zone = language_of(request), session.merchant.timezone
    done = request.query.get("done", "") if request.method == "GET" else ""
    typed = typed or Typed()
    context = {
        "found": found,
        "shown": shown,
        "typed": typed,
        "problems": typed.problems,
        "done": done if done in _DONE else "",
        "events": EVENTS,
        "max_hooks": MAX_HOOKS,
        "max_url": MAX_URL,
        "max_name": MAX_NAME,
        "log_length": LOG_LENGTH,
        "is_owner": session.staff.role == "owner",
        "day_of": lambda at: say_day(at, zone, language),
        "time_of": lambda at: say_time(at, zone, language),
    }
    return render(
        request,
        "merchant/machines.html",
        context,
        status=422 if typed.problems else 200,
        # A page with a secret in it is not packed (BREACH, see `csrf.masked`).
        is_packed=shown is None,
    )


def _load(tx: Tx, merchant_id: MerchantId) -> _Machines:
    return _Machines(
        keys=list_api_keys(tx, merchant_id),
        hooks=list_hooks(tx, merchant_id),
        log=list_deliveries(tx, merchant_id),
    )
