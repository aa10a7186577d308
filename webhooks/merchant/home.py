"""The first page of the settings: what is connected, the cards, and a shop's links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from core.actions.channels import (
    AppleCredentials,
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.outbox import why_halted
from core.actions.programs import programs_with_counts
from core.actions.shops import list_shops
from core.actions.signin import choose_language
from core.database import Tx
from core.links import friend_url
from core.rules.types import MerchantId, Program, Shop
from core.wording import LANGUAGES
from passes.apple.facts import certificate_facts, urgency
from webhooks.forms import local_path, text_of
from webhooks.keys import CLOCK, DB, SETTINGS
from webhooks.pages import render
from webhooks.sessions import require_session, sign_out
from webhooks.signin import sign_in

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """What the page shows; `apple_days` is None without a certificate.

    `apple_halted`: Apple takes nothing more with it.
    """

    programs: list[tuple[Program, int]]
    shops: list[Shop]
    line_id: str | None
    apple_days: int | None
    apple_halted: bool
    has_google: bool


@routes.get("/")
@routes.get("/merchant")
async def add_slash(request: web.Request) -> web.Response:
    """The address as people type it."""
    del request
    return web.Response(status=308, headers={"Location": "/merchant/"})


@routes.get("/merchant/")
async def show_home(request: web.Request) -> web.Response:
    """Everything at a glance."""
    session = require_session(request, "owner", "manager", "viewer")
    parts, merchant = request.config_dict, session.merchant
    found = await parts[DB].read(_load, merchant.id, parts[CLOCK].now())
    public = parts[SETTINGS].public_url
    line_id, days = found.line_id, found.apple_days
    context = {
        "home": found,
        "apple_urgency": "good" if days is None else urgency(days),
        "n_cards": sum(count for _, count in found.programs),
        "links": {
            "till": f"{public}/till/",
            "friend": friend_url(line_id or ""),
            "line": f"{public}/line/{merchant.key}",
        },
        "join": f"{public}/j/{merchant.key}/",
    }
    return render(request, "merchant/home.html", context, is_packed=True)


@routes.get("/merchant/signin")
@routes.post("/merchant/signin")
async def show_signin(request: web.Request) -> web.Response:
    """The form, and what was typed into it."""
    return await sign_in(request, "settings")


@routes.post("/merchant/signout")
async def leave(request: web.Request) -> web.Response:
    """End this browser's session."""
    return await sign_out(request)


@routes.post("/merchant/language")
async def switch_language(request: web.Request) -> web.Response:
    """Show this browser's pages in the other language, and the same page again."""
    session = require_session(request)
    fields = await request.post()
    wanted = text_of(fields, "language")
    for language in LANGUAGES:
        if wanted == language:
            await request.config_dict[DB].write(choose_language, session, language)
    back = local_path(text_of(fields, "next"), "/merchant/")
    return web.Response(status=303, headers={"Location": back})


def _load(tx: Tx, merchant_id: MerchantId, now: datetime) -> _Home:
    line = line_channel(tx, merchant_id)
    apple = apple_credentials(tx, merchant_id)
    return _Home(
        programs=programs_with_counts(tx, merchant_id),
        shops=list_shops(tx, merchant_id),
        line_id=line.basic_id if line else None,
        apple_days=_days_left(apple, now) if apple else None,
        apple_halted=why_halted(tx, merchant_id, "apple") is not None,
        has_google=google_credentials(tx, merchant_id) is not None,
    )


def _days_left(apple: AppleCredentials, now: datetime) -> int:
    facts = certificate_facts(apple.certificate_pem, apple.wwdr_pem)
    return facts.days_left(now) if facts else -1
