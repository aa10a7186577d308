"""Looks up who a channel is, where the merchant's file left that out.

`merchant apply` reaches no platform, so the running service asks LINE: the till's QR
code needs the basic id, and a webhook's destination is the bot's user id.
"""

from __future__ import annotations

import asyncio

import structlog

from bot.access import channel_key
from bot.line_api import LineApi
from core.actions.channels import (
    LineChannel,
    unidentified_channels,
    update_line_identity,
)
from core.clock import Clock
from core.database import Database
from core.errors import DeliveryError, Unsealable
from core.vault import Vault

# How soon a channel that was just connected is noticed, and asked about again.
LOOK_EVERY = 5.0
ASK_AGAIN = 300.0

log = structlog.get_logger()


class IdentityLookup:
    """Asks LINE once for each channel without ids. `run` until `stop`."""

    def __init__(self, db: Database, vault: Vault, api: LineApi, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._api = api
        self._clock = clock
        self._stopped = asyncio.Event()
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Look for channels to ask about, now and every few seconds."""
        while not self._stopped.is_set():
            await self.look()
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._stopped.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    async def look(self) -> None:
        """Ask about each channel that lacks its ids, unless that failed just now."""
        for channel in await self._db.read(unidentified_channels):
            if self._not_before.get(channel.merchant.id, 0.0) <= _uptime():
                await self._ask(channel)

    async def _ask(self, channel: LineChannel) -> None:
        merchant = channel.merchant
        try:
            found = await self._api.bot_info(channel_key(channel, self._vault))
        except (DeliveryError, Unsealable) as error:
            self._not_before[merchant.id] = _uptime() + ASK_AGAIN
            log.warning(
                "line_identity_unknown", merchant=merchant.key, error=str(error)
            )
            return
        await self._db.write(
            update_line_identity,
            merchant.id,
            found.user_id,
            found.basic_id,
            self._clock.now(),
        )
        log.info("line_identity_known", merchant=merchant.key, basic_id=found.basic_id)


def _uptime() -> float:
    return asyncio.get_running_loop().time()
