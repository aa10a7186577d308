"""A merchant's own system that takes webhooks, and the sender that reaches it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from core.actions.hooks import HOOK_SECRET, add_hook, list_deliveries
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.ids import new_id
from core.links import Links
from core.rules.hooks import EVENTS, Hook, HookId
from core.vault import Vault
from jobs.hooks import HookSender
from jobs.pump import Pump
from tests.builders import BuiltShop

SECRET = "whsec_tests_only_0123456789"


@dataclass(frozen=True)
class Taken:
    """One request as it came."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Consumer:
    """Takes webhooks on the loopback; `answers` says what with (then 204).

    A silent one takes them and never answers.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.taken: list[Taken] = []
        self.arrived = asyncio.Event()
        self.answers: list[web.Response | None] = []
        self.url = ""
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(Taken(dict(request.headers), await request.read()))
        self.arrived.set()
        if self.silent:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else web.Response(status=204)
        if answer is None:
            # Hang up without a word.
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    @property
    def types(self) -> list[str]:
        return [taken.body["type"] for taken in self.taken]

    def of(self, kind: str) -> Any:
        """The body of the only delivery of this type."""
        (found,) = [taken.body for taken in self.taken if taken.body["type"] == kind]
        return found


@asynccontextmanager
async def consuming(*, silent: bool = False) -> AsyncIterator[Consumer]:
    consumer = Consumer(silent=silent)
    app = web.Application()
    app.router.add_post("/{path:.*}", consumer.take)
    async with TestServer(app) as server:
        consumer.url = str(server.make_url("/hook"))
        consumer.port = server.port or 0
        yield consumer


class Office:
    """A shop with a webhook, and the pump that delivers to it."""

    def __init__(
        self, db: Database, vault: Vault, clock: Clock, shop: BuiltShop, pump: Pump
    ) -> None:
        self.db, self.vault, self.clock, self.pump = db, vault, clock, pump
        self.shop = shop

    async def hook(
        self, url: str, events: tuple[str, ...] = EVENTS, secret: str = SECRET
    ) -> Hook:
        now, merchant_id = self.clock.now(), self.shop.merchant.id
        hook_id = HookId(new_id(now))
        made = Hook(
            id=hook_id,
            merchant_id=merchant_id,
            url=url,
            events=events,
            sealed_secret=self.vault.seal(secret, merchant_id, HOOK_SECRET, hook_id),
            created_at=now,
        )
        await self.db.write(add_hook, made, self.shop.owner.id)
        return made

    async def log(self) -> list[Any]:
        return await self.db.read(list_deliveries, self.shop.merchant.id)


@asynccontextmanager
async def office(
    db: Database, settings: Settings, vault: Vault, clock: Clock, shop: BuiltShop
) -> AsyncIterator[Office]:
    """The settings say where its sender may send to."""
    sender = HookSender(db, vault, Links(vault, settings.public_url, clock), settings)
    pump = Pump(db, {"hook": sender.deliver}, clock, only="hook")
    yield Office(db, vault, clock, shop, pump)
    await sender.close()
