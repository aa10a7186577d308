"""S1 and S2: signed webhooks, stamped and answered, beside the SDK's echo bot.

Each service is a process of its own; LINE's side of both is this one: people who send
a code each, 32 at once, and who wait for their reply.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from aiohttp import web

from core.actions.join import follow
from core.actions.till import make_till_code
from core.clock import Clock
from core.config import Settings, load_settings
from core.database import Database
from core.rules.types import Limit
from core.store.migrate import migrate
from core.vault import Vault
from jobs.demo.line_events import envelope, event, signature
from tests.builders import BOT_USER_ID, CHANNEL_SECRET, build_shop, coffee, person
from tests.stories.processes import ServiceProcess, environment, eventually, quiet_port

PEOPLE, WARM_UP, EVENTS, AT_ONCE = 64, 64, 400, 32
# LINE waits for two seconds.
LINE_WAITS = 2.0
ACKS_AT_ONCE = 50

Texts = Sequence[str]


async def measure() -> tuple[float, float]:
    """S1: answered events a second of ours, and of the echo bot."""
    with tempfile.TemporaryDirectory() as folder:
        async with _line() as line:
            settings = load_settings(data_dir=Path(folder), line_api_url=line.url)
            texts = await _prepare(settings)
            async with _ours(settings, Path(folder)) as url:
                ours = await line.rate(url, texts)
            async with _echo_bot(line.url) as url:
                theirs = await line.rate(url, texts)
    return ours, theirs


async def measure_acks() -> tuple[float, float]:
    """S2: the 99th percentile of a webhook's answer while backups run, and LINE's
    limit, in seconds; 50 at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with _line() as line:
            settings = load_settings(data_dir=Path(folder), line_api_url=line.url)
            texts = await _prepare(settings)
            async with _ours(settings, Path(folder)) as url:
                backing_up = asyncio.create_task(_back_up(settings))
                await line.rate(url, texts, at_once=ACKS_AT_ONCE)
                backing_up.cancel()
                await asyncio.gather(backing_up, return_exceptions=True)
    return quantiles(line.acks[WARM_UP:], n=100)[98], LINE_WAITS


class _Line:
    """Takes every reply; `acks` are the seconds that each webhook took."""

    def __init__(self) -> None:
        self.url = ""
        self.acks: list[float] = []
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._clock = Clock()

    async def reply(self, request: web.Request) -> web.Response:
        """A reply is accepted once; who waits for it is told."""
        token = (await request.json())["replyToken"]
        self._waiting.pop(token).set_result(None)
        return web.json_response({"sentMessages": [{"id": "1"}]})

    async def token(self, request: web.Request) -> web.Response:
        """A channel access token."""
        del request
        answer = {"token_type": "Bearer", "access_token": "any", "expires_in": 900}
        return web.json_response(answer)

    async def rate(self, url: str, texts: Texts, at_once: int = AT_ONCE) -> float:
        """Answered events a second, after a few to warm up."""
        async with aiohttp.ClientSession() as http:
            await self._send(http, url, texts[:WARM_UP], at_once)
            before = time.perf_counter()
            await self._send(http, url, texts[WARM_UP:], at_once)
            return (len(texts) - WARM_UP) / (time.perf_counter() - before)

    async def _send(
        self, http: aiohttp.ClientSession, url: str, texts: Texts, at_once: int
    ) -> None:
        slots = asyncio.Semaphore(at_once)

        async def one(n: int, text: str) -> None:
            async with slots:
                await self._converse(http, url, n, text)

        await asyncio.gather(*(one(n, text) for n, text in enumerate(texts)))

    async def _converse(
        self, http: aiohttp.ClientSession, url: str, n: int, text: str
    ) -> None:
        now = self._clock.now()
        token = f"token-{text.replace(' ', '-')}"
        answered = asyncio.get_running_loop().create_future()
        self._waiting[token] = answered
        message = {"type": "text", "id": str(n), "quoteToken": "q", "text": text}
        said = event("message", f"U{n % PEOPLE:032x}", now, token, message=message)
        body = envelope(BOT_USER_ID, [said])
        headers = {"x-line-signature": signature(CHANNEL_SECRET, body)}
        before = time.perf_counter()
        async with http.post(f"{url}/line/aozora", data=body, headers=headers) as got:
            got.raise_for_status()
        self.acks.append(time.perf_counter() - before)
        await answered


@asynccontextmanager
async def _line() -> AsyncIterator[_Line]:
    line = _Line()
    app = web.Application()
    app.add_routes(
        [
            web.post("/v2/bot/message/reply", line.reply),
            web.post("/oauth2/v3/token", line.token),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    line.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield line
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _ours(settings: Settings, folder: Path) -> AsyncIterator[str]:
    service = ServiceProcess(settings, quiet_port(), folder / "log")
    await service.start()
    try:
        yield service.url
    finally:
        await service.kill()


@asynccontextmanager
async def _echo_bot(line_url: str) -> AsyncIterator[str]:
    url = f"http://127.0.0.1:{(port := quiet_port())}"
    module = ("-m", "tests.bench.echo_bot")
    bot = await asyncio.create_subprocess_exec(
        sys.executable, *module, str(port), CHANNEL_SECRET, line_url
    )
    try:
        async with aiohttp.ClientSession() as http:
            await eventually(lambda: _answers(http, url), 20)
        yield url
    finally:
        bot.kill()
        await bot.wait()


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _prepare(settings: Settings) -> list[str]:
    """A shop whose customers are known, and what each is to send."""
    await asyncio.to_thread(migrate, settings)
    db = await Database.open(settings)
    vault = Vault(settings.secret_key.get_secret_value())
    now = Clock().now()
    shop = await build_shop(db, vault, now, design=coffee(limit=Limit()))
    for n in range(PEOPLE):
        who = person(n, f"客{n}")
        await db.write(follow, shop.merchant.id, who, f"follow {n}", now)
    made: dict[str, Any] = {
        "merchant_id": shop.merchant.id,
        "shop_key": shop.shop.key,
        "program_key": shop.program.key,
        "stamps": 1,
        "staff_id": shop.owner.id,
        # Good for a while longer than a till's own.
        "now": now + timedelta(minutes=5),
    }
    wanted = WARM_UP + EVENTS
    codes = [await db.write(make_till_code, **made) for _ in range(wanted)]
    await db.close()
    return [f"STAMP {code.code}" for code in codes]


async def _back_up(settings: Settings) -> None:
    while True:
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "backup",
            env=dict(os.environ) | environment(settings),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await run.wait()
