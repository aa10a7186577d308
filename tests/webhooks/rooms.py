"""The web rooms of this project over real HTTP on the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.links import Links
from core.vault import Vault
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer
from webhooks import health, keys, live, metrics
from webhooks.api import cards, codes, openapi, stamps
from webhooks.middleware import MIDDLEWARES, set_headers
from webhooks.pages import set_up_pages


@asynccontextmanager
async def serve_rooms(
    db: Database, settings: Settings, clock: Clock
) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the whole application."""
    vault = Vault(settings.secret_key.get_secret_value())
    links = Links(vault, settings.public_url)
    app = web.Application(middlewares=[metrics.measure, *MIDDLEWARES])
    app[keys.SETTINGS], app[keys.DB], app[keys.CLOCK] = settings, db, clock
    app[keys.VAULT], app[keys.LINKS] = vault, links
    app[metrics.METRICS] = metrics.Metrics()
    app.on_response_prepare.append(set_headers)
    live.set_up_live(app)
    set_up_pages(app)
    for room in (codes, cards, stamps, openapi, health):
        app.add_routes(room.routes)
    async with TestClient(TestServer(app)) as client:
        yield client
