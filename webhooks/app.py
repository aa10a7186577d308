"""The web application: its parts, and every route in one list."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from bot.line_api import LineApi
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.links import Links
from core.vault import Vault
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer
from webhooks import (
    add_pass,
    apple,
    assets,
    badges,
    customer,
    google,
    health,
    join,
    keys,
    line,
    link_line,
    look,
    member,
    pictures,
    unlink,
    voucher,
)
from webhooks.api import cards, codes, openapi, stamps, undo
from webhooks.fetched import set_up_fetch_notes
from webhooks.live import set_up_live
from webhooks.merchant import (
    card,
    home,
    hooks,
    life,
    machines,
    messages,
    posters,
    preview,
    progress,
    publish,
    receipts,
    team,
    tills,
    wallets,
    wallets_apple,
    wallets_google,
)
from webhooks.merchant import codes as paper_codes
from webhooks.merchant import line as line_setup
from webhooks.merchant.wallets import set_up_wallets
from webhooks.merchant.wallets_apple import set_up_unlocking
from webhooks.metrics import METRICS, Metrics
from webhooks.middleware import MIDDLEWARES, set_headers
from webhooks.pages import set_up_pages
from webhooks.signin import set_up_signin
from webhooks.till import (
    asked,
    auto,
    claims,
    counter,
    frames,
    place,
    queue,
    reissue,
    scan,
    shift,
    wallet,
)
from webhooks.till import unlink as till_unlink

# The largest that may come in: a LINE webhook, or a merchant's picture with its form.
LARGEST_BODY = 2**20

ROUTES = (
    line.routes,  # POST /line/{merchant}
    apple.routes,  # /apple/v1/…
    google.routes,  # POST /google/{merchant}
    cards.routes,  # /api/v1/…
    stamps.routes,
    codes.routes,
    undo.routes,
    openapi.routes,
    add_pass.routes,  # /w/{token}
    link_line.routes,  # /w/{token}/link
    unlink.routes,  # /w/{token}/unlink
    voucher.routes,  # /v/{token}
    member.routes,  # /m/{token}
    customer.routes,  # /c/{code}
    join.routes,  # /j/{merchant}/{program}
    counter.routes,  # /till/
    auto.routes,
    asked.routes,
    claims.routes,
    place.routes,
    shift.routes,
    scan.routes,
    frames.routes,
    queue.routes,
    wallet.routes,
    reissue.routes,
    till_unlink.routes,
    home.routes,  # /merchant/
    card.routes,
    preview.routes,
    publish.routes,
    progress.routes,
    life.routes,
    paper_codes.routes,
    posters.routes,
    receipts.routes,
    machines.routes,
    hooks.routes,
    tills.routes,
    team.routes,
    line_setup.routes,
    wallets.routes,
    wallets_apple.routes,
    wallets_google.routes,
    messages.routes,
    pictures.routes,  # /pictures/…
    look.routes,
    badges.routes,  # /badges/…
    assets.routes,  # /static/…
    health.routes,  # /healthz, /readyz, /metrics
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What handlers work with; made by whoever starts the service."""

    settings: Settings
    db: Database
    clock: Clock
    vault: Vault
    links: Links
    artwork: Artwork
    apple: AppleIssuer
    google: GoogleIssuer
    metrics: Metrics
    line_api: LineApi


def make_app(parts: Parts) -> web.Application:
    """The application, ready to be served. Whoever calls closes the parts."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=MIDDLEWARES)
    app[keys.SETTINGS] = parts.settings
    app[keys.DB] = parts.db
    app[keys.CLOCK] = parts.clock
    app[keys.VAULT] = parts.vault
    app[keys.LINKS] = parts.links
    app[keys.ARTWORK] = parts.artwork
    app[keys.APPLE] = parts.apple
    app[keys.GOOGLE] = parts.google
    app[keys.LINE_API] = parts.line_api
    app[METRICS] = parts.metrics
    set_up_signin(app)
    set_up_pages(app)
    set_up_live(app)
    set_up_fetch_notes(app)
    set_up_wallets(app)
    set_up_unlocking(app)
    app.on_response_prepare.append(set_headers)
    for routes in ROUTES:
        app.add_routes(routes)
    return app
