"""Puts what waits to be told into the answers that go out anyway: they cost nothing.

Taken before the answer is sent and settled after it, so that a crash in between, a
redelivered event or a push at the same time never tells anything twice.
"""

from __future__ import annotations

from bot.messages import Message
from bot.notices import has_room, with_news
from bot.turn import Turn
from core.actions.inbox import KeptEvent
from core.actions.join import know_person
from core.actions.telling import settle_news, take_news
from core.clock import Clock
from core.database import Database
from core.rules.types import Language

_SENT = "replied"


class NewsCarrier:
    """The answers of this process that carry news. Belongs to one event loop."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._carried: dict[str, str] = {}

    async def load(
        self, kept: KeptEvent, turn: Turn, messages: list[Message]
    ) -> list[Message]:
        """The answer, with what else this person is to know; the same on a retry."""
        if not turn.line.has_news or not has_room(messages):
            return messages
        merchant, user_id = turn.line.merchant, turn.event.person
        now = self._clock.now()
        if turn.event.reply_token is None or now >= kept.reply_deadline:
            return messages
        person = await self._db.read(know_person, merchant.id, user_id)
        if person is None:
            return messages
        news = await self._db.write(
            take_news, merchant.id, user_id, kept.event_id, turn.asked_at
        )
        if not news:
            return messages
        self._carried[kept.event_id] = user_id
        language: Language = person.language
        if language not in merchant.languages:
            language = merchant.languages[0]
        return with_news(messages, news, merchant.timezone, language)

    async def settle(self, kept: KeptEvent, note: str) -> None:
        """The answer ended with this note: its news are told, or wait again."""
        user_id = self._carried.get(kept.event_id)
        if user_id is None:
            return
        await self._db.write(
            settle_news,
            kept.merchant_id,
            user_id,
            kept.event_id,
            is_told=note.startswith(_SENT),
            now=self._clock.now(),
        )
        self._carried.pop(kept.event_id, None)
