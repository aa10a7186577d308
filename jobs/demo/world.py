"""A whole shop and the world around it: the service, and the platforms' stand-ins.

`stampcard demo` and the story tests live in the same world. The service inside it is
the real one, started by `jobs.serve` with nothing but other addresses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.config import Settings, load_settings
from core.database import Database
from core.store.migrate import migrate
from core.vault import Vault
from jobs.apply_file import Handed, apply_file
from jobs.demo.apns import ApnsStandIn
from jobs.demo.apple_phone import ApplePhone
from jobs.demo.certificates import make_apple, make_tls
from jobs.demo.google_wallet import GoogleStandIn, make_service_account
from jobs.demo.line_platform import LineStandIn
from jobs.demo.shop_file import ISSUER_ID, PASS_TYPE_ID, TEAM_ID, write_shop_file

MERCHANT = "aozora"
CHANNEL_ID = "1234567890"
CHANNEL_SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"  # noqa: S105 -- of the stand-in
BOT_USER_ID = "U8e742f61d673b39c7fff3cecb7536ef0"
BASIC_ID = "@aozora"
STAFF_EMAIL = "owner@aozora.example"
STAFF_PASSWORD = "aozora-no-stamp-2026"  # noqa: S105 -- of a shop that does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The platforms, one iPhone, and what the shop was handed at its start."""

    line: LineStandIn
    apns: ApnsStandIn
    google: GoogleStandIn
    phone: ApplePhone
    settings: Settings
    shop: Handed


@asynccontextmanager
async def demo_world(
    folder: Path,
    port: int,
    clock: Clock,
    *,
    database_url: str = "",
    goal: int = 10,
    limit: str = "none",
) -> AsyncIterator[World]:
    """Make certificates and keys, start the platforms, set up the shop in `folder`.

    The service itself is then started with `world.settings`, on `port`.
    """
    now = clock.now()
    made = await asyncio.to_thread(make_apple, folder, PASS_TYPE_ID, TEAM_ID, now)
    tls = await asyncio.to_thread(make_tls, folder, now)
    account, account_key = await asyncio.to_thread(make_service_account)
    async with AsyncExitStack() as stack:
        line = LineStandIn(clock)
        await line.start()
        stack.push_async_callback(line.stop)
        line.add_channel(
            CHANNEL_ID,
            CHANNEL_SECRET,
            BASIC_ID,
            BOT_USER_ID,
            f"http://127.0.0.1:{port}/line/{MERCHANT}",
            name="あおぞら珈琲",
        )
        phone = ApplePhone(clock)
        await phone.start()
        stack.push_async_callback(phone.stop)
        apns = ApnsStandIn(tls, [made.root_pem], clock)
        apns.on_push = phone.pushed
        await apns.start()
        stack.push_async_callback(apns.stop)
        accounts = {json.loads(account)["client_email"]: account_key}
        google = GoogleStandIn(ISSUER_ID, accounts, clock=clock)
        await google.start()
        stack.push_async_callback(google.stop)
        settings = load_settings(
            data_dir=folder,
            database_url=database_url,
            public_url=f"http://localhost:{port}",
            line_api_url=line.url,
            line_data_api_url=line.url,
            apns_url=apns.url,
            apns_ca_file=tls.ca_pem,
            google_wallet_url=google.url,
            google_token_url=google.token_url,
            google_callback_keys_url=google.callback_keys_url,
        )
        file = write_shop_file(
            folder,
            made,
            account,
            key=MERCHANT,
            channel=(CHANNEL_ID, CHANNEL_SECRET, BOT_USER_ID, BASIC_ID),
            staff=(STAFF_EMAIL, STAFF_PASSWORD),
            goal=goal,
            limit=limit,
        )
        yield World(
            line=line,
            apns=apns,
            google=google,
            phone=phone,
            settings=settings,
            shop=await _set_up(settings, file, clock),
        )


async def _set_up(settings: Settings, file: Path, clock: Clock) -> Handed:
    await asyncio.to_thread(migrate, settings)
    db = await Database.open(settings)
    try:
        vault = Vault(settings.secret_key.get_secret_value())
        return await apply_file(db, vault, settings, file, clock.now())
    finally:
        await db.close()
