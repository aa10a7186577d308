"""The LINE side of the service as it runs: webhook, inbox, worker, and LINE itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from bot.line_api import LineApi
from bot.worker import LineWorker
from core.config import Settings
from core.database import Database, Tx
from core.links import Links
from core.store.tables import inbox, ledger_entry
from core.vault import Vault
from jobs.demo.line_platform import LineStandIn
from jobs.demo.line_world import ChatItem
from tests.bot.sdk_models import Judge
from tests.builders import BuiltShop
from tests.conftest import ManualClock
from webhooks import line as webhook
from webhooks.keys import CLOCK, DB, VAULT

CHANNEL = "1234567890"


class LineHouse:
    """Start it, let people write in `line`, and look at what they are answered."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        shop: BuiltShop,
        clock: ManualClock,
        vault: Vault,
        links: Links,
    ) -> None:
        self.db, self.shop, self.clock = db, shop, clock
        self.vault, self.links, self._settings = vault, links, settings
        self.line = LineStandIn(clock, deadline=20)
        # Whatever is sent in any test must be what LINE's own models know.
        self._judge = Judge()
        self.line.world.check = self._judge
        self.api: LineApi
        self.server: TestServer
        self._running: asyncio.Task[None] | None = None

    async def start(self, **limits: Any) -> None:
        await self.line.start()
        urls = {"line_api_url": self.line.url, "line_data_api_url": self.line.url}
        self.api = LineApi(self._settings.model_copy(update=urls), **limits)
        # The SDK takes long to load, and no test is about that.
        await self.api.open()
        app = web.Application()
        app[DB], app[CLOCK], app[VAULT] = self.db, self.clock, self.vault
        app.add_routes(webhook.routes)
        self.server = TestServer(app)
        await self.server.start_server()
        self.line.add_channel(
            CHANNEL,
            self.shop.channel_secret,
            "@aozora",
            "U8e742f61d673b39c7fff3cecb7536ef0",
            str(self.server.make_url("/line/aozora")),
        )

    def new_worker(self) -> LineWorker:
        return LineWorker(self.db, self.vault, self.api, self.clock, self.links)

    def run(self) -> LineWorker:
        worker = self.new_worker()
        self._running = asyncio.create_task(worker.run())
        return worker

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.api.close()
        await self.server.close()
        await self.line.stop()
        assert self._judge.found == []

    # --- what is said and done ------------------------------------------------------

    def friend(self, name: str = "美香", language: str = "ja") -> str:
        user_id = self.line.add_person(name, language)
        self.line.world.people[user_id].friends.add(CHANNEL)
        self.line.world.people[user_id].met.add(CHANNEL)
        return user_id

    async def ask(self, user_id: str, text: str) -> dict[str, Any]:
        """Say something and take the (last) message of the answer."""
        await self.line.say(CHANNEL, user_id, text)
        return (await self.line.wait_for_reply(CHANNEL, user_id))[-1].message

    def answers(self, user_id: str) -> list[ChatItem]:
        return [i for i in self.line.world.chat(CHANNEL, user_id) if i.who == "bot"]

    async def settled(self, seconds: float = 20) -> None:
        """Wait until the inbox is empty."""
        async with asyncio.timeout(seconds):
            with self.db.watch({"inbox"}) as watch:
                while await self.db.read(_count_waiting):
                    await watch.wait(0.2)

    async def notes(self) -> list[str]:
        return await self.db.read(_notes)

    async def stamps(self) -> int:
        """Every stamp in the ledger, of everybody."""
        return await self.db.read(_count_stamps)


def _count_waiting(tx: Tx) -> int:
    waiting = select(func.count()).where(inbox.c.state == "waiting")
    return int(tx.execute(waiting).scalar_one())


def _notes(tx: Tx) -> list[str]:
    rows = tx.execute(select(inbox.c.note).order_by(inbox.c.happened_at))
    return [row.note for row in rows]


def _count_stamps(tx: Tx) -> int:
    found = select(func.coalesce(func.sum(ledger_entry.c.stamps), 0))
    return int(tx.execute(found.where(ledger_entry.c.kind == "stamp")).scalar_one())


def text_event(
    user_id: str, text: str, at: datetime, event_id: str, **more: Any
) -> dict[str, Any]:
    """A text message as LINE writes it."""
    return {
        "type": "message",
        "webhookEventId": event_id,
        "deliveryContext": {"isRedelivery": False},
        "timestamp": int(at.timestamp() * 1000),
        "source": {"type": "user", "userId": user_id},
        "mode": "active",
        "replyToken": "r" * 32,
        "message": {"type": "text", "id": "1", "quoteToken": "q", "text": text},
        **more,
    }


def texts_in(part: Any) -> list[str]:
    """Every text that a message shows, in order."""
    if isinstance(part, dict):
        own = [part["text"]] if isinstance(part.get("text"), str) else []
        return own + texts_in([v for k, v in part.items() if k != "quickReply"])
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [text for one in part for text in texts_in(one)]
    return []
