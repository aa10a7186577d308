"""Keeps the answer to 「使う」 open for a moment, while staff stand at a till.

A reply costs nothing and a push does, so it is best when the reply itself can say that
the reward was used. LINE wants tokens used within a minute and "may" end them sooner
(https://developers.line.biz/en/reference/messaging-api/#reply-token), so nothing is
held for long, the merchant can switch it off, and whoever was not confirmed in time
gets the ticket with the live page.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from bot.line_api import LineApi
from bot.personal_acts import Ticket, load_ticket
from bot.turn import Turn
from core.actions.channels import line_channel
from core.actions.inbox import has_written_again
from core.actions.tills import is_till_open
from core.clock import Clock
from core.database import Database, Tx
from core.errors import DeliveryError
from core.rules.types import MerchantId
from core.signals import Watch

log = structlog.get_logger()

# From when LINE handed us the event: a restart begins no new wait, and all of it is
# within the worker's lease.
HOLDS = timedelta(seconds=15)
# The others of a worker's hundred places stay free for answers that need no staff.
AT_MOST = 40

# Changes of other processes are not signalled here, so the state is read each second.
_LOOK_SECONDS = 1.0
_DOTS_SECONDS = 20


class Holding:
    """The answers that are held in this process. Belongs to one event loop.

    Nothing about them is kept here: the event stays in the inbox until it is answered,
    so whoever takes it up after a crash finds the same request as it is by then.
    """

    def __init__(
        self, db: Database, api: LineApi, clock: Clock, *, at_most: int = AT_MOST
    ) -> None:
        self._db = db
        self._api = api
        self._clock = clock
        self._at_most = at_most
        self._held: set[Watch] = set()
        self._is_over = False

    async def decided(self, turn: Turn, ticket: Ticket) -> Ticket:
        """The ticket once staff decided it; as it is now when they may not, or did not.

        Takes at most `HOLDS` from when LINE sent the event; returns early when the
        customer writes again, and when `end` is called.
        """
        asked = ticket[0]
        if asked.state != "waiting" or self._is_over:
            return ticket
        if len(self._held) >= self._at_most:
            log.info("line_reply_not_held", merchant_id=turn.merchant_id)
            return ticket
        with self._db.watch({f"card:{asked.card_id}"}) as watch:
            self._held.add(watch)
            try:
                return await self._hold(turn, ticket, watch)
            finally:
                self._held.discard(watch)

    def end(self) -> None:
        """Hold nothing any more: what is held is answered at once."""
        self._is_over = True
        for watch in self._held:
            watch.wake()

    async def _hold(self, turn: Turn, ticket: Ticket, watch: Watch) -> Ticket:
        now = self._clock.now()
        if not await self._db.read(_may_hold, turn.merchant_id, now):
            return ticket
        dots = asyncio.create_task(self._show_dots(turn))
        try:
            return await self._wait(turn, ticket, watch)
        finally:
            # They would come after the answer, and stay.
            dots.cancel()

    async def _wait(self, turn: Turn, ticket: Ticket, watch: Watch) -> Ticket:
        until = turn.asked_at + HOLDS
        # By both: the wall clock may be put back while a customer waits.
        loop = asyncio.get_running_loop()
        ends = loop.time() + HOLDS.total_seconds()
        while True:
            now = self._clock.now()
            ticket, is_wanted = await self._db.read(_look, turn, ticket, now)
            left = min((until - now).total_seconds(), ends - loop.time())
            if ticket[0].state != "waiting" or is_wanted or self._is_over or left <= 0:
                return ticket
            await watch.wait(min(left, _LOOK_SECONDS))

    async def _show_dots(self, turn: Turn) -> None:
        try:
            await self._api.start_loading(
                turn.line.key, turn.event.person, _DOTS_SECONDS
            )
        except DeliveryError as error:
            log.info("line_dots_not_shown", error=str(error))


def _may_hold(tx: Tx, merchant_id: MerchantId, now: datetime) -> bool:
    channel = line_channel(tx, merchant_id)
    if channel is None or not channel.holds_replies:
        return False
    return is_till_open(tx, merchant_id, now)


def _look(tx: Tx, turn: Turn, ticket: Ticket, now: datetime) -> tuple[Ticket, bool]:
    """The ticket as it is, and whether its customer waits for another answer."""
    fresh = load_ticket(tx, turn.merchant_id, ticket[0].id, now)
    event = turn.event
    return fresh, has_written_again(tx, turn.merchant_id, event.person, event.id)
