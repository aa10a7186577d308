"""The settings page of the wallets, with an APNs and a Google of our own."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp
from aiohttp import ClientResponse
from sqlalchemy import select

from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.store.tables import journal
from jobs.demo.apns import ApnsStandIn
from tests.jobs.google_world import GoogleWorld, google_world
from tests.passes.apple_chain import chain, tls
from tests.passes.openssl_apple import openssl_apple
from tests.webhooks.desk import Merchant
from tests.webhooks.rooms import serve_rooms

PAGE = "/merchant/wallets"
OWNER = "owner@aozora.jp"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletDesk:
    """Somebody at the page, and the platforms' stand-ins."""

    desk: Merchant
    apns: ApnsStandIn
    google: GoogleWorld

    async def upload(self, path: str, **fields: bytes | str) -> ClientResponse:
        """Send a form of the page; what is bytes goes as a file."""
        form = aiohttp.FormData({"csrf": self.desk.csrf})
        for name, value in fields.items():
            if isinstance(value, bytes):
                form.add_field(name, BytesIO(value), filename=f"{name}.bin")
            else:
                form.add_field(name, value)
        return await self.desk.send(PAGE + path, form)

    async def enter_google(self, issuer: str, account: str) -> ClientResponse:
        """Fill in Google's form and send it."""
        fields = {"issuer_id": issuer, "account": account.encode()}
        return await self.upload("/google", **fields)

    async def press(self, path: str, **fields: str) -> ClientResponse:
        """A button of the page."""
        return await self.desk.send(PAGE + path, {"csrf": self.desk.csrf, **fields})

    async def request(self) -> bytes:
        """Have a certificate request made, and download it."""
        await self.press("/apple/request", do="make")
        answer = await self.desk.client.get(f"{PAGE}/apple/request")
        assert answer.status == 200
        return await answer.read()

    def part(self, name: str) -> str:
        """One element of the page by its id, without its markup, up to the next id."""
        found = re.search(
            rf'id="{name}"[^>]*>(.*?)(?=\sid="|</section>)', self.desk.page, re.DOTALL
        )
        return html.unescape(re.sub(r"<[^>]+>|\s+", " ", found[1])) if found else ""

    def problems(self) -> dict[str, str]:
        """What the page says is wrong, by field."""
        found = re.findall(r'class="problem" id="p-([^"]+)">([^<]*)', self.desk.page)
        return {name: html.unescape(words) for name, words in found}


@asynccontextmanager
async def at_wallets(
    db: Database,
    settings: Settings,
    clock: Clock,
    who: str = OWNER,
    *,
    trust: Sequence[Path] | None = None,
) -> AsyncIterator[WalletDesk]:
    """Signed in, on the page."""
    roots = [chain().root_pem, openssl_apple().root_pem] if trust is None else trust
    apns = ApnsStandIn(tls(), roots, clock)
    await apns.start()
    try:
        async with google_world(clock, plain_http=True) as google:
            local = settings.model_copy(
                update={
                    "public_url": "http://127.0.0.1",
                    "apns_url": apns.url,
                    "apns_ca_file": tls().ca_pem,
                    **google.settings,
                }
            )
            async with serve_rooms(db, local, clock) as client:
                desk = Merchant(client)
                await desk.sign_in(who)
                await desk.get(PAGE)
                yield WalletDesk(desk=desk, apns=apns, google=google)
    finally:
        await apns.stop()


async def acts(db: Database) -> list[str]:
    """What the journal says of the wallets' connections, oldest first."""
    query = select(journal).order_by(journal.c.id)
    rows = await db.read(lambda tx: tx.execute(query).all())
    own = {"requested", "connected", "renewed", "checked", "type_changed"}
    own |= {"changed", "removed", "tested"}
    return [
        row.action
        for row in rows
        if row.action.startswith(("apple.", "google."))
        and row.action.split(".")[1] in own
    ]
