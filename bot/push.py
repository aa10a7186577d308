"""Sends pushes that the outbox says are due: each once, whatever dies in between.

LINE knows a push again by its retry key, for 24 hours and with the same body only:
https://developers.line.biz/en/docs/messaging-api/retrying-api-request/
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from weakref import WeakValueDictionary

import structlog

from bot.access import ChannelKey, channel_key
from bot.line_api import LineApi, Quota
from bot.notices import draw_push
from core.actions.channels import line_channel
from core.actions.outbox import Delivery
from core.actions.pushes import (
    Begun,
    Wait,
    begin_push,
    close_month,
    keep_quota,
    load_plan,
    push_held,
    push_refused,
    push_told,
)
from core.clock import Clock
from core.database import Database
from core.errors import DeliveryError, Unsealable
from core.rules.pushing import needs_look
from core.rules.reminding import NoticeId
from core.rules.types import MerchantId
from core.vault import Vault

log = structlog.get_logger()

TOPIC = "push"


class Pusher:
    """The outbox's handler of `push:<notice id>`. Belongs to one event loop."""

    def __init__(self, db: Database, vault: Vault, api: LineApi, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._api = api
        self._clock = clock
        self._looks: WeakValueDictionary[MerchantId, asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def deliver(self, delivery: Delivery, now: datetime) -> None:
        """Send one push if it may go out now. Raises `DeliveryError` to try again."""
        notice_id = NoticeId(delivery.topic.removeprefix(f"{TOPIC}:"))
        merchant_id = delivery.merchant_id
        key = await self._key(merchant_id)
        if key is None:
            await self._db.write(push_held, merchant_id, notice_id)
            return
        await self._look(merchant_id, key, now)
        begun = await self._db.write(
            begin_push, merchant_id, notice_id, draw_push, self._clock.now()
        )
        if isinstance(begun, Wait):
            seconds = (begun.until - self._clock.now()).total_seconds()
            raise DeliveryError("waits for the quiet hours' end", retry_after=seconds)
        if begun is not None:
            await self._send(merchant_id, notice_id, key, begun)

    async def look(self, merchant_id: MerchantId) -> Quota | None:
        """Ask LINE now what is left of the month; None without a channel.

        A month that was closed is open again where there is room after all. Raises
        `DeliveryError`.
        """
        key = await self._key(merchant_id)
        if key is None:
            return None
        return await self._keep(merchant_id, key, reopens=True)

    async def _send(
        self,
        merchant_id: MerchantId,
        notice_id: NoticeId,
        key: ChannelKey,
        begun: Begun,
    ) -> None:
        where = (merchant_id, notice_id)
        try:
            is_taken = await self._api.push(
                key, begun.line_user_id, begun.body, notice_id
            )
        except DeliveryError as error:
            if not error.permanent:
                # LINE may have it: nobody else tells it before the retry key is over.
                raise
            # Refused for good; a refused secret may be put right by the next hour.
            code = "connection" if error.halts else "refused"
            said = f"{code}: {error}"
            await self._db.write(push_refused, *where, said, for_good=not error.halts)
            log.warning("push_refused", merchant=merchant_id, error=str(error))
            return
        now = self._clock.now()
        if is_taken:
            await self._db.write(push_told, *where, now)
            return
        until = await self._db.write(close_month, *where, now)
        log.warning("push_month_closed", merchant=merchant_id, until=until.isoformat())

    async def _look(
        self, merchant_id: MerchantId, key: ChannelKey, now: datetime
    ) -> None:
        # Many pushes of a merchant are due at once: one look serves them all.
        lock = self._looks.setdefault(merchant_id, asyncio.Lock())
        async with lock:
            plan = await self._db.read(load_plan, merchant_id)
            is_closed = plan.closed_until is not None and now < plan.closed_until
            if plan.is_allowed and not is_closed and needs_look(plan, now):
                await self._keep(merchant_id, key, reopens=False)

    async def _keep(
        self, merchant_id: MerchantId, key: ChannelKey, *, reopens: bool
    ) -> Quota:
        found = await self._api.quota(key)
        await self._db.write(
            keep_quota,
            merchant_id,
            quota=found.limit,
            used=found.used,
            now=self._clock.now(),
            reopens=reopens,
        )
        return found

    async def _key(self, merchant_id: MerchantId) -> ChannelKey | None:
        channel = await self._db.read(line_channel, merchant_id)
        if channel is None:
            return None
        try:
            return channel_key(channel, self._vault)
        except Unsealable as error:
            raise DeliveryError(
                "the channel secret cannot be opened", halts=True
            ) from error
