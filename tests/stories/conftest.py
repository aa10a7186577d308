"""The world of the stories: the real service among stand-ins that speak HTTP."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.rules.types import Limit
from core.vault import Vault
from jobs.demo.world import CHANNEL_ID, MERCHANT, World, demo_world
from jobs.serve import Service, running
from tests.bot.sdk_models import Judge
from tests.builders import BuiltShop, build_shop, coffee
from tests.conftest import ManualClock
from tests.stories.calls import Call
from tests.stories.crowd import TwoProcesses, do_at_once

Crowd = Callable[[Sequence[Call]], Awaitable[list[Any]]]


@dataclass(kw_only=True)
class Town:
    """A shop, its customers' phones, and a POS with the shop's API key."""

    world: World
    service: Service
    web: aiohttp.ClientSession
    url: str

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the JSON API as the POS does; the decoded answer."""
        key = self.world.shop.api_keys["pos"]
        async with self.web.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
        ) as answer:
            assert answer.status < 300, (answer.status, await answer.text())
            return await answer.json()

    async def till_code(self, stamps: int = 1) -> str:
        """A fresh code as the till shows it."""
        body = {"shop": "main", "program": "coffee", "stamps": stamps}
        made = await self.api("POST", "/till-codes", body)
        return str(made["code"])

    async def say(self, user_id: str, text: str) -> dict[str, Any]:
        """Send a chat message; the first message of the answer."""
        line = self.world.line
        hook = await line.say(CHANNEL_ID, user_id, text)
        assert hook.status == 200
        [first, *_] = await line.wait_for_reply(CHANNEL_ID, user_id)
        return first.message

    async def follow(self, user_id: str) -> dict[str, Any]:
        """Add the shop as a friend; the first message of the answer."""
        line = self.world.line
        await line.follow(CHANNEL_ID, user_id)
        [first, *_] = await line.wait_for_reply(CHANNEL_ID, user_id)
        return first.message

    async def card_of(self, user_id: str) -> dict[str, Any]:
        """The person's card as the JSON API tells it."""
        [card] = (await self.api("GET", f"/cards?line_user_id={user_id}"))["cards"]
        return dict(card)


async def until(look: Any, seconds: float = 10.0) -> Any:
    """Look again and again until there is something; TimeoutError if never."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110 -- another process rings no bell here
            await asyncio.sleep(0.01)
        return found


def free_port() -> int:
    """A port that nobody listens on, and that no server with port 0 will be given."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@pytest.fixture
def story_database(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of each kind in turn ("" for SQLite's file)."""
    if database_kind == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh(empty=True)
    yield url
    server.drop(url)


@pytest.fixture
async def town(story_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """The demo shop あおぞら珈琲, open for business."""
    async with open_town(tmp_path, story_database, Clock()) as opened:
        yield opened


@asynccontextmanager
async def open_town(
    folder: Path, database_url: str, clock: Clock
) -> AsyncIterator[Town]:
    """The same with a clock of one's own."""
    port = free_port()
    async with (
        demo_world(folder, port, clock, database_url=database_url) as world,
        running(world.settings, clock=clock, host="127.0.0.1", port=port) as service,
        aiohttp.ClientSession() as web,
    ):
        world.line.world.check = judge = Judge()
        yield Town(
            world=world, service=service, web=web, url=f"http://127.0.0.1:{port}"
        )
        assert judge.found == []


@pytest.fixture
def at_full_size(request: pytest.FixtureRequest) -> bool:
    """Is this `make drill`?"""
    return bool(request.config.getoption("--drill"))


@pytest.fixture
def tell(
    request: pytest.FixtureRequest, at_full_size: bool, database_kind: str
) -> Callable[[str], None]:
    """Says a drill's figures to whoever runs it, which no test judges."""
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def say(line: str) -> None:
        if at_full_size and terminal is not None:
            terminal.write_line(f"{database_kind}: {line}")

    return say


@pytest.fixture(scope="session")
def two_processes() -> Iterator[TwoProcesses]:
    """Two processes for crowds, which every test may use in turn."""
    both = TwoProcesses()
    yield both
    both.close()


@pytest.fixture(params=["one process", "two processes"])
def crowd(request: pytest.FixtureRequest, db: Database, settings: Settings) -> Crowd:
    """Does many calls at the same moment; what each answered, in order."""
    if request.param == "one process":
        return lambda calls: do_at_once(db, calls)
    both: TwoProcesses = request.getfixturevalue("two_processes")
    return lambda calls: both.do_at_once(settings, calls)


@pytest.fixture
async def free_shop(db: Database, vault: Vault, clock: ManualClock) -> BuiltShop:
    """A shop whose cards take any number of stamps a day."""
    return await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))


__all__ = ["CHANNEL_ID", "MERCHANT", "Town", "free_port", "until"]
