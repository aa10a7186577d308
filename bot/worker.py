"""Answers kept LINE events: one person in order, many people at once.

An event is leased, done by idempotent actions, answered while its reply token lives,
and finished. Whatever dies in between, another round gets the same answer out once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import structlog

from bot.conversation import Conversation
from bot.dialogue import Ignore, LeaveGroup, answer
from bot.events import read_event
from bot.holding import Holding
from bot.line_api import LineApi
from bot.messages import Message
from bot.news import NewsCarrier
from bot.replies import in_plain_words
from bot.turn import Turn
from core.actions.inbox import KeptEvent, finish_event, retry_event, take_events
from core.clock import Clock
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.rules.asking import Granted, Refused
from core.signals import Watch
from core.vault import Vault

log = structlog.get_logger()

AT_ONCE = 100

# A worker that died must be replaced while the reply token (50 s) still lives; one
# that lives must be done before another takes over.
_LEASE_SECONDS = 30.0
_LONGEST_ANSWER = 25.0
_LOOK_AGAIN = 1.0
_GATHER = 0.01
_STOP_WITHIN = 10.0

# Seconds until the next try: with the same reply token, and of a failed action.
_REPLY_AGAIN = (1.0, 3.0, 6.0, 10.0, 15.0)
_ACT_AGAIN = (1.0, 3.0, 10.0, 30.0)


class LineWorker:
    """Empties the inbox. `run` until `stop`; any number may work side by side.

    `heard` is told of each outcome of a code, for the figures.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        api: LineApi,
        clock: Clock,
        links: Links,
        heard: Callable[[Granted | Refused], None] = lambda _: None,
    ) -> None:
        self._db = db
        self._api = api
        self._clock = clock
        self._holding = Holding(db, api, clock)
        self._talk = Conversation(db, vault, api, links, heard, self._holding)
        self._news = NewsCarrier(db, clock)
        self._busy: set[asyncio.Task[None]] = set()
        self._watch: Watch | None = None
        self._stopping = False

    async def run(self) -> None:
        """Answer until `stop` is called or this is cancelled; ends what it began."""
        opening = asyncio.create_task(self._api.open())
        try:
            with self._db.watch({"inbox"}) as self._watch:
                while not self._stopping:
                    if not await self._take():
                        await self._watch.wait(_LOOK_AGAIN)
                    if self._busy:
                        # Under load, one look at the inbox serves many events.
                        await asyncio.sleep(_GATHER)
        finally:
            self._watch = None
            opening.cancel()
            await self._end()

    def stop(self) -> None:
        """Take no more events; `run` returns when those at hand are answered."""
        self._stopping = True
        self._holding.end()
        if self._watch is not None:
            self._watch.wake()

    async def answer_next(self) -> bool:
        """Answer the next kept event that is due; False when there is none."""
        events = await self._lease(1)
        for kept in events:
            await self._answer(kept)
        return bool(events)

    async def _lease(self, n: int) -> list[KeptEvent]:
        """The next event of up to `n` people, for this worker alone."""
        now = self._clock.now()
        return await self._db.write(take_events, n, _LEASE_SECONDS, now)

    async def _take(self) -> bool:
        free = AT_ONCE - len(self._busy)
        try:
            events = await self._lease(free) if free > 0 else []
        except Exception:
            # The database is away: the inbox waits, and so do we.
            log.exception("line_inbox_unreadable")
            return False
        for kept in events:
            task = asyncio.create_task(self._answer(kept))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        return bool(events)

    async def _end(self) -> None:
        self._holding.end()
        if not self._busy:
            return
        _, late = await asyncio.wait(self._busy, timeout=_STOP_WITHIN)
        for task in late:
            # Its lease runs out, then somebody else answers.
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _answer(self, kept: KeptEvent) -> None:
        try:
            note = await self._note(kept)
            now = self._clock.now()
            if isinstance(note, str):
                await self._news.settle(kept, note)
                await self._db.write(
                    finish_event, kept.merchant_id, kept.event_id, note, now
                )
                log.info("line_event_done", event_id=kept.event_id, note=note)
            else:
                due_at = now + timedelta(seconds=note)
                await self._db.write(
                    retry_event, kept.merchant_id, kept.event_id, due_at
                )
        except Exception:
            # Nothing could be written: the lease runs out, and the event is due again.
            log.exception("line_event_stuck", event_id=kept.event_id)

    async def _note(self, kept: KeptEvent) -> str | float:
        """What the inbox remembers of the event, or the seconds until another try."""
        try:
            async with asyncio.timeout(_LONGEST_ANSWER):
                return await self._deal_with(kept)
        except (DeliveryError, TimeoutError) as error:
            return self._reply_later(kept, error)
        except Exception as error:
            log.exception("line_event_failed", event_id=kept.event_id)
            if kept.attempts < len(_ACT_AGAIN):
                return _ACT_AGAIN[kept.attempts]
            return f"failed: {type(error).__name__}"

    async def _deal_with(self, kept: KeptEvent) -> str:
        event = read_event(json.loads(kept.body), self._clock.now())
        ask = answer(event, kept.merchant_id)
        if isinstance(ask, Ignore):
            return f"ignored: {ask.why}"
        asked_at = min(self._clock.now(), kept.received_at)
        turn = await self._talk.turn(kept.merchant_id, event, asked_at)
        if turn is None:
            return "no LINE channel"
        messages = await self._talk.act(ask, turn)
        if not isinstance(ask, LeaveGroup):
            messages = await self._news.load(kept, turn, messages)
        note = await self._reply(kept, turn, messages) if messages else "done"
        await self._talk.after(ask, turn)
        return note

    async def _reply(self, kept: KeptEvent, turn: Turn, messages: list[Message]) -> str:
        token = turn.event.reply_token
        if token is None:
            return "no reply token"
        if self._clock.now() >= kept.reply_deadline:
            return self._expired(kept)
        note = "replied"
        try:
            is_taken = await self._api.reply(turn.line.key, token, messages)
        except DeliveryError as error:
            if not error.permanent or (error.halts and not kept.attempts):
                # A refused key may just have been replaced: once more, with the new.
                raise
            log.error("line_reply_refused", event_id=kept.event_id, error=str(error))  # noqa: TRY400 -- expected, and told in full
            if error.halts:
                return f"reply refused: {error}"
            # Our layout is wrong, not the customer: say it in plain words.
            is_taken = await self._say_plainly(turn, token, messages)
            note = "replied in plain words" if is_taken else f"reply refused: {error}"
        if is_taken:
            return note
        # A used token means that an earlier try arrived after all.
        return "replied before" if kept.attempts else self._expired(kept)

    async def _say_plainly(
        self, turn: Turn, token: str, messages: list[Message]
    ) -> bool:
        try:
            return await self._api.reply(turn.line.key, token, in_plain_words(messages))
        except DeliveryError as error:
            if not error.permanent:
                raise
            return False

    def _reply_later(self, kept: KeptEvent, error: Exception) -> str | float:
        if kept.attempts < len(_REPLY_AGAIN):
            wait = _REPLY_AGAIN[kept.attempts]
            if self._clock.now() + timedelta(seconds=wait) < kept.reply_deadline:
                return wait
        log.warning("line_reply_given_up", event_id=kept.event_id, error=str(error))
        return self._expired(kept)

    def _expired(self, kept: KeptEvent) -> str:
        log.warning("line_reply_expired", event_id=kept.event_id)
        return "reply expired"
