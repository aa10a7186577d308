"""The settings page of LINE, with a LINE of our own that really calls the service."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientResponse
from sqlalchemy import select

from bot.line_api import LineApi
from bot.rich_menu import RichMenus
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.store.tables import journal, line_channel
from core.vault import Vault
from jobs.demo.line_platform import LineStandIn
from jobs.demo.line_world import Channel
from jobs.pump import Pump
from tests.builders import BOT_USER_ID, CHANNEL_SECRET
from tests.webhooks.desk import Merchant
from tests.webhooks.rooms import serve_rooms

PAGE = "/merchant/line"
OWNER = "owner@aozora.jp"
CHANNEL = "1234567890"
NEW_SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDesk:
    """Somebody at the page, the stand-in, and what empties the outbox."""

    desk: Merchant
    line: LineStandIn
    channel: Channel
    pump: Pump
    menus: RichMenus
    url: str

    async def connect(
        self, secret: str = CHANNEL_SECRET, channel_id: str = CHANNEL
    ) -> ClientResponse:
        """Fill in the form and send it."""
        form = {"channel_id": channel_id, "secret": secret}
        return await self.press("", **form)

    async def press(self, path: str, **fields: str) -> ClientResponse:
        """A button of the page."""
        form = {"csrf": self.desk.csrf, **fields}
        return await self.desk.send(PAGE + path, form)


@asynccontextmanager
async def at_line_desk(
    db: Database, settings: Settings, vault: Vault, clock: Clock, who: str = OWNER
) -> AsyncIterator[LineDesk]:
    """Signed in, on the page; the service is reachable where it says it is."""
    line = LineStandIn(clock, deadline=10)
    await line.start()
    channel = line.add_channel(
        CHANNEL, CHANNEL_SECRET, "@aozora", BOT_USER_ID, name="あおぞら珈琲 本店"
    )
    port = free_port()
    urls = {
        "public_url": f"http://127.0.0.1:{port}",
        "line_api_url": line.url,
        "line_data_api_url": line.url,
    }
    local = settings.model_copy(update=urls)
    api = LineApi(local)
    menus = RichMenus(db, vault, api, clock)
    try:
        async with serve_rooms(db, local, clock, port=port) as client:
            desk = Merchant(client)
            await desk.sign_in(who)
            await desk.get(PAGE)
            yield LineDesk(
                desk=desk,
                line=line,
                channel=channel,
                pump=Pump(db, {"menu": menus.deliver}, clock, only="menu"),
                menus=menus,
                url=f"{local.public_url}/line/aozora",
            )
    finally:
        await api.close()
        await line.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def forget_channel(db: Database) -> None:
    """As a shop that was never on LINE."""
    await db.write(lambda tx: tx.execute(line_channel.delete()) and None)


async def acts(db: Database) -> list[str]:
    """What the journal says of LINE, oldest first."""
    query = select(journal).order_by(journal.c.id)
    rows = await db.read(lambda tx: tx.execute(query).all())
    return [row.action for row in rows if row.action.startswith("line.")]
