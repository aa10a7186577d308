"""A shop whose service runs in processes, the world around it, and its books.

The platforms' stand-ins live in the test's process and outlive every crash.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from core.clock import Clock
from core.database import Database, Tx
from core.store.tables import answered, card, inbox, ledger_entry, outbox
from jobs.demo.line_events import envelope, redelivered, signature
from jobs.demo.line_world import ChatItem
from jobs.demo.world import (
    BOT_USER_ID,
    CHANNEL_ID,
    CHANNEL_SECRET,
    MERCHANT,
    World,
    demo_world,
)
from tests.bot.sdk_models import Judge
from tests.passes.every_pass import phones_are_watched
from tests.stories.processes import ServiceProcess, eventually, quiet_port

# Something that is asked until it is answered: True when it was.
Ask = Callable[[], Awaitable[bool]]
Event = dict[str, Any]


@dataclass(kw_only=True)
class Drill:
    """A shop whose service runs in processes, and the world around it."""

    world: World
    services: Sequence[ServiceProcess]
    web: aiohttp.ClientSession
    people: list[str] = field(default_factory=list)

    @property
    def service(self) -> ServiceProcess:
        """The one process, or the first of several."""
        return self.services[0]

    async def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        at: ServiceProcess | None = None,
    ) -> Any:
        """Call the JSON API as a POS does; the decoded answer.

        aiohttp.ClientError when nobody answered, or something else than 2xx.
        """
        bearer = self.world.shop.api_keys["pos"]
        headers = {"Authorization": f"Bearer {bearer}"}
        if key:
            headers["Idempotency-Key"] = key
        url = f"{(at or self.service).url}/api/v1{path}"
        async with self.web.request(method, url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def stamp(
        self, card_id: str, key: str, at: ServiceProcess | None = None
    ) -> Any:
        """One stamp by the API under this Idempotency-Key."""
        path = f"/cards/{card_id}/stamps"
        return await self.api("POST", path, {"n": 1, "shop": "main"}, key=key, at=at)

    async def open_card(self, name: str) -> str:
        """A card without LINE; its id."""
        made = await self.api("POST", "/cards", {"program": "coffee", "name": name})
        return str(made["id"])

    async def stamp_events(self, people: Sequence[str]) -> list[Event]:
        """What these people send, each with a code of the till's; not sent yet."""
        body = {"shop": "main", "program": "coffee", "stamps": 1}
        made = [self.api("POST", "/till-codes", body) for _ in people]
        return [
            self.world.line.text_event(CHANNEL_ID, person, f"STAMP {code['code']}")
            for person, code in zip(people, await asyncio.gather(*made), strict=True)
        ]

    async def deliver(self, event: Event) -> bool:
        """LINE hands in an event; False when that was not answered 200 in time."""
        hook = await self.world.line.deliver(CHANNEL_ID, [event])
        return hook.status == 200

    async def hand_in(self, event: Event, at: ServiceProcess) -> bool:
        """The same, at one of several processes."""
        body = envelope(BOT_USER_ID, [event])
        headers = {"x-line-signature": signature(CHANNEL_SECRET, body)}
        url = f"{at.url}/line/{MERCHANT}"
        async with self.web.post(url, data=body, headers=headers) as answer:
            return answer.status == 200

    def by_line(self, event: Event) -> Ask:
        """Deliver an event, and from the second time on deliver it again."""
        tries = [event]

        async def ask() -> bool:
            now = tries.pop() if tries else redelivered(event)
            return await self.deliver(now)

        return ask

    def by_pos(self, card_id: str, key: str) -> Ask:
        """A stamp by the API, under the same key each time."""

        async def ask() -> bool:
            try:
                answer = await self.stamp(card_id, key)
            except aiohttp.ClientConnectionError:
                return False
            return bool(answer["outcome"] == "granted")

        return ask

    def add_people(self, count: int) -> list[str]:
        """LINE accounts who know the shop; their user ids."""
        line = self.world.line
        added = [line.add_person(f"客{n}") for n in range(count)]
        self.people += added
        return added

    def replies(self, user_id: str) -> list[ChatItem]:
        """What the bot has said to this person."""
        chat = self.world.line.chats.get((CHANNEL_ID, user_id), [])
        return [item for item in chat if item.who == "bot"]

    def count_replies(self) -> int:
        """How often the bot has spoken in all chats."""
        return sum(len(self.replies(person)) for person in self.people)

    async def look(self, fn: Callable[[Tx], Any]) -> Any:
        """Read the database itself. Nothing of it stays open."""
        db = await Database.open(self.world.settings)
        try:
            return await db.read(fn)
        finally:
            await db.close()

    async def open_up(self) -> None:
        """Start the one process, and let the card's look reach Google first.

        What a dead one held of the outbox stays leased for longer than an event does.
        """
        await self.service.start()
        await self.settle()

    async def settle(self, seconds: float = 20.0) -> None:
        """Wait until the inbox and the outbox have nothing left to do."""
        db = await Database.open(self.world.settings)
        left: list[str] = []

        async def nothing_left() -> bool:
            left[:] = await db.read(unsettled)
            return not left

        try:
            await eventually(nothing_left, seconds)
        except TimeoutError:
            raise AssertionError(left) from None
        finally:
            await db.close()

    async def wrongs(self) -> list[str]:
        """What is wrong with the books, and the errors in the processes' logs."""
        found: list[str] = await self.look(wrongs_of_books)
        if not self.world.settings.database_url:
            found += self._wrongs_of_file()
        return found + [line for each in self.services for line in each.errors()]

    def _wrongs_of_file(self) -> list[str]:
        file = self.world.settings.sqlite_file
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            lines = connection.execute("PRAGMA integrity_check").fetchall()
        return [str(line) for (line,) in lines if line != "ok"]


@asynccontextmanager
async def drill(
    folder: Path,
    database_url: str = "",
    *,
    goal: int = 10,
    limit: str = "none",
    processes: int = 1,
) -> AsyncIterator[Drill]:
    """The demo's world with its service in processes, none of them started yet."""
    ports = [quiet_port() for _ in range(processes)]
    async with AsyncExitStack() as stack:
        stack.enter_context(phones_are_watched())
        world = await stack.enter_async_context(
            demo_world(
                folder,
                ports[0],
                Clock(),
                database_url=database_url,
                goal=goal,
                limit=limit,
            )
        )
        web = await stack.enter_async_context(aiohttp.ClientSession())
        services = [
            ServiceProcess(world.settings, port, folder / f"service-{number}.log")
            for number, port in enumerate(ports, start=1)
        ]
        for service in services:
            stack.push_async_callback(service.kill)
        world.line.world.check = judge = Judge()
        yield Drill(world=world, services=services, web=web)
        assert judge.found == []


def unsettled(tx: Tx) -> list[str]:
    """Events without an answer, and topics whose newest state is not delivered."""
    events = tx.execute(select(inbox).where(inbox.c.state == "waiting"))
    behind = tx.execute(select(outbox).where(outbox.c.wanted > outbox.c.done))
    return [f"event {row.event_id}: {row.attempts} attempts" for row in events] + [
        f"{row.topic}: {row.done} of {row.wanted}, {row.error}" for row in behind
    ]


def wrongs_of_books(tx: Tx) -> list[str]:
    """Each card whose ledger has a hole, or another sum than the card shows."""
    found = []
    for held in tx.execute(select(card)).all():
        entries = tx.execute(
            select(ledger_entry)
            .where(ledger_entry.c.card_id == held.id)
            .order_by(ledger_entry.c.seq)
        ).all()
        balance = 0
        for place, entry in enumerate(entries, start=1):
            balance += entry.stamps
            if (entry.seq, entry.balance) != (place, balance):
                found.append(f"card {held.id}: entry {place} is {entry}")
        total = sum(entry.stamps for entry in entries if entry.kind == "stamp")
        shown = (held.n_entries, held.balance, held.total)
        if shown != (len(entries), balance, total):
            found.append(f"card {held.id} shows {shown}, not {entries}")
    return found


def stamps_of_cards(tx: Tx) -> list[int]:
    """How many stamps each card has ever got, the fewest first."""
    return sorted(row.total for row in tx.execute(select(card.c.total)))


def notes_of_events(tx: Tx) -> dict[str, str]:
    """What became of each event that was kept: its note, "" while it waits."""
    return {row.event_id: row.note for row in tx.execute(select(inbox))}


def answered_keys(tx: Tx) -> set[str]:
    """The keys of all stamps that were decided by the API."""
    rows = tx.execute(select(answered.c.key))
    return {row.key for row in rows if row.key.startswith("api:stamps:")}
