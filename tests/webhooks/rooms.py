"""The web rooms of this project over real HTTP on the loopback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer

from bot.line_api import LineApi
from core.actions.pictures import load_picture
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.links import Links
from core.vault import Vault
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer
from tests.builders import PASSWORD
from webhooks.app import Parts, make_app
from webhooks.metrics import Metrics

Client = TestClient[Any, Any]


@asynccontextmanager
async def serve_rooms(
    db: Database, settings: Settings, clock: Clock, *, port: int | None = None
) -> AsyncIterator[Client]:
    """A client of the whole application."""
    vault = Vault(settings.secret_key.get_secret_value())
    links = Links(vault, settings.public_url, clock)
    artwork = Artwork(lambda merchant, digest: db.read(load_picture, merchant, digest))
    async with aiohttp.ClientSession() as session:
        apple = AppleIssuer(db, settings, vault, links, artwork, clock)
        google = GoogleIssuer(db, settings, vault, links, session, clock)
        line_api = LineApi(settings)
        parts = Parts(
            settings=settings,
            db=db,
            clock=clock,
            vault=vault,
            links=links,
            artwork=artwork,
            apple=apple,
            google=google,
            metrics=Metrics(),
            line_api=line_api,
        )
        server = TestServer(make_app(parts), port=port)
        await server.start_server()
        # Cookies are for https only; the loopback stands for it.
        jar = aiohttp.CookieJar(
            unsafe=True, treat_as_secure_origin=server.make_url("/").origin()
        )
        async with TestClient(server, cookie_jar=jar) as client:
            yield client
        await line_api.close()
        await google.close()
        await apple.close()


class Staff:
    """A browser in which somebody is signed in at the till."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.page = ""

    async def sign_in(self, email: str) -> None:
        form = {"email": email, "password": PASSWORD}
        answer = await self.client.post("/till/signin", data=form)
        assert answer.status == 200, await answer.text()
        assert "signin" not in answer.url.path

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        return await self._read(answer, status)

    async def post(self, path: str, form: Mapping[str, str], status: int = 200) -> str:
        """Send a form of the present page, with its csrf and idempotency key."""
        sent = {name: field(self.page, name) for name in ("csrf", "key")} | dict(form)
        answer = await self.client.post(path, data=sent)
        return await self._read(answer, status)

    async def _read(self, answer: aiohttp.ClientResponse, status: int) -> str:
        text = await answer.text()
        assert answer.status == status, (answer.status, text)
        self.path = answer.url.path
        if status == 200:
            self.page = text
        return text


def field(page: str, name: str) -> str:
    """The value of a page's first hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return found[1] if found else ""
