"""The service as processes of its own, which can be killed and started again.

The platforms' stand-ins live in the test's process and outlive every crash.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from sqlalchemy import select

from core.clock import Clock
from core.config import PREFIX, Settings
from core.database import Database, Tx
from core.store.tables import answered, card, inbox, ledger_entry, outbox
from jobs.demo.line_events import envelope, signature
from jobs.demo.line_world import ChatItem
from jobs.demo.world import BOT_USER_ID, CHANNEL_ID, CHANNEL_SECRET, MERCHANT
from jobs.demo.world import World, demo_world

_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-c", "from jobs.cli import main; main()")
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


class ServiceProcess:
    """`stampcard serve` on `port`. `log` is the file of all that it ever wrote."""

    def __init__(self, settings: Settings, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._settings = settings
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, role: str = "all", clock_offset: str = "") -> float:
        """Start it and wait until it can stamp; how many seconds that took."""
        given = environment(self._settings)
        if clock_offset:
            given[f"{PREFIX}CLOCK_OFFSET"] = clock_offset
        started = asyncio.get_running_loop().time()
        options = ("--host", "127.0.0.1", "--port", str(self._port), "--role", role)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*_COMMAND, "serve", *options),
                cwd=_ROOT,
                env=dict(os.environ) | given,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with aiohttp.ClientSession() as web:
            await eventually(lambda: self._is_ready(web), _START_SECONDS)
        return asyncio.get_running_loop().time() - started

    def strike(self) -> None:
        """SIGKILL: it ends between any two instructions."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def kill(self) -> None:
        """Strike it, and wait until it is gone."""
        self.strike()
        if self._process is not None:
            await self._process.wait()

    def tell_to_stop(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def stopped(self) -> int:
        """The exit code, once it ends by itself; TimeoutError after ten seconds."""
        assert self._process is not None
        async with asyncio.timeout(_STOP_SECONDS):
            return await self._process.wait()

    def errors(self) -> list[str]:
        """Every line of the log that tells of an error of the program itself."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if _is_error(line)]

    async def _is_ready(self, web: aiohttp.ClientSession) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-4000:]
        try:
            async with web.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


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

    async def till_codes(self, count: int) -> list[str]:
        """Fresh codes as the till shows them, one stamp each."""
        body = {"shop": "main", "program": "coffee", "stamps": 1}
        made = [self.api("POST", "/till-codes", body) for _ in range(count)]
        return [str(one["code"]) for one in await asyncio.gather(*made)]

    async def hand_in(self, service: ServiceProcess, events: list[Any]) -> int:
        """Deliver a webhook to one of several processes as LINE does; the status."""
        body = envelope(BOT_USER_ID, events)
        headers = {"x-line-signature": signature(CHANNEL_SECRET, body)}
        url = f"{service.url}/line/{MERCHANT}"
        async with self.web.post(url, data=body, headers=headers) as answer:
            return answer.status

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
        with closing(sqlite3.connect(file)) as connection:
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
    ports = [_port() for _ in range(processes)]
    async with AsyncExitStack() as stack:
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
        yield Drill(world=world, services=services, web=web)


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    """Ask again and again until there is something; TimeoutError if never."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.02)
        return found


def environment(settings: Settings) -> dict[str, str]:
    """These settings as variables for another process."""
    found = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value and name != "clock_offset":
            found[PREFIX + name.upper()] = str(value)
    return found


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


def stamps_of_people(tx: Tx) -> list[int]:
    """How many stamps each card has ever got, the fewest first."""
    return sorted(row.total for row in tx.execute(select(card.c.total)))


def events_in_inbox(tx: Tx) -> dict[str, str]:
    """What became of each event that was kept: its note, "" while it waits."""
    return {row.event_id: row.note for row in tx.execute(select(inbox))}


def answered_keys(tx: Tx) -> set[str]:
    """The idempotency keys of everything that was decided."""
    return {row.key for row in tx.execute(select(answered.c.key))}


def event_ids(hooks: Sequence[Any]) -> list[str]:
    """The ids of the events of these webhooks."""
    return [event["webhookEventId"] for hook in hooks for event in hook.events]


def _is_error(line: str) -> bool:
    try:
        told: Mapping[str, Any] = json.loads(line)
    except ValueError:
        return True
    # On a busy machine LINE's two seconds pass, and it hangs up. That this is no
    # error of ours has its own test.
    if "ConnectionResetError: Connection lost" in told.get("exception", ""):
        return False
    return told.get("level") in {"error", "critical"} or "exception" in told


def _port() -> int:
    # Below the ports that outgoing connections take: between a crash and the restart
    # nobody may grab it.
    while True:
        port = 15000 + secrets.randbelow(15000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
