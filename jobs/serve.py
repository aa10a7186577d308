"""Joins all parts into a running service; nowhere else are they put together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

import aiohttp
import structlog
from aiohttp import web

from bot.identity import IdentityLookup
from bot.line_api import LineApi
from bot.push import Pusher
from bot.rich_menu import RichMenus
from bot.worker import LineWorker
from core.actions.inbox import release_inbox
from core.actions.outbox import release_outbox
from core.actions.pictures import load_picture
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.links import Links
from core.rules.types import MerchantId
from core.vault import Vault
from jobs.hooks import HookSender
from jobs.in_use import database_file, in_use
from jobs.parts import Parts
from jobs.pump import Pump
from jobs.runner import Runner
from jobs.supervise import Supervisor
from jobs.upgrade import prepare
from jobs.wallets import wallet_handlers
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer
from webhooks.app import Parts as WebParts
from webhooks.app import make_app
from webhooks.metrics import Metrics

Role = Literal["all", "web", "worker"]

# Together below the ten seconds that a stop may take.
WEB_SECONDS = 4.0
WORKER_SECONDS = 8.5
KEEP_ALIVE_SECONDS = 75.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service. `url` is where it listens; "" for a worker alone."""

    url: str
    settings: Settings
    clock: Clock
    db: Database
    vault: Vault
    links: Links
    artwork: Artwork
    apple: AppleIssuer
    google: GoogleIssuer
    pump: Pump
    hooks: Pump
    runner: Runner
    metrics: Metrics
    line_api: LineApi
    menus: RichMenus


def serve(settings: Settings, *, host: str, port: int, role: Role = "all") -> None:
    """Run until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings, host, port, role))


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    role: Role = "all",
    clock: Clock | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> AsyncIterator[Service]:
    """The whole service, for as long as the context lasts; port 0 takes a free one.

    Raises `SettingsError` where the database does not fit this program, `InUse` where
    it is being restored.
    """
    clock = clock or Clock(settings.clock_offset)
    async with AsyncExitStack() as stack:
        lock = in_use(database_file(settings))
        await asyncio.to_thread(lock.__enter__)
        stack.callback(lock.__exit__, None, None, None)
        await asyncio.to_thread(prepare, settings, clock.now())
        service, line_worker, lookup = await _build(settings, clock, stack)
        supervisor, web_runner = Supervisor(), None
        try:
            if role != "worker":
                web_runner, url = await _listen(service, host, port)
                service = replace(service, url=url)
            if role == "all" and service.db.dialect == "sqlite":
                # The file is ours alone: what a crash left leased need not wait for
                # its lease to end, and the customer gets the answer in time.
                await service.db.write(release_inbox)
                await service.db.write(release_outbox)
            if role != "web":
                supervisor.add("line", line_worker.run, line_worker.stop)
                supervisor.add("identity", lookup.run, lookup.stop)
                supervisor.add("menus", service.menus.run, service.menus.stop)
                supervisor.add("pump", service.pump.run, service.pump.stop)
                supervisor.add("hooks", service.hooks.run, service.hooks.stop)
                supervisor.add("jobs", service.runner.run, service.runner.stop)
            log.info("service_started", role=role, url=service.url)
            yield service
        finally:
            log.info("service_stopping")
            await asyncio.gather(
                supervisor.stop(WORKER_SECONDS),
                *([web_runner.cleanup()] if web_runner else []),
            )


async def _serve(settings: Settings, host: str, port: int, role: Role) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told.set)
    async with running(settings, role=role, host=host, port=port):
        await told.wait()
        # A second signal ends it at once.
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _build(
    settings: Settings, clock: Clock, stack: AsyncExitStack
) -> tuple[Service, LineWorker, IdentityLookup]:
    vault = Vault(settings.secret_key.get_secret_value())
    links = Links(vault, settings.public_url, clock)
    db = await Database.open(settings)
    stack.push_async_callback(db.close)

    async def load_icon(merchant_id: MerchantId, digest: str) -> bytes | None:
        return await db.read(load_picture, merchant_id, digest)

    artwork = Artwork(load_icon)
    # SSL_CERT_FILE is honoured by Python itself; proxies of the environment by this.
    session = aiohttp.ClientSession(trust_env=True)
    stack.push_async_callback(session.close)
    apple = AppleIssuer(db, settings, vault, links, artwork, clock)
    stack.push_async_callback(apple.close)
    google = GoogleIssuer(db, settings, vault, links, session, clock)
    stack.push_async_callback(google.close)
    sender = HookSender(db, vault, links, settings)
    stack.push_async_callback(sender.close)
    line_api = LineApi(settings)
    stack.push_async_callback(line_api.close)
    metrics = Metrics()
    menus = RichMenus(db, vault, line_api, clock)
    pusher = Pusher(db, vault, line_api, clock)
    line_worker = LineWorker(
        db, vault, line_api, clock, links, lambda said: metrics.stamps("line", said)
    )
    service = Service(
        url="",
        settings=settings,
        clock=clock,
        db=db,
        vault=vault,
        links=links,
        artwork=artwork,
        apple=apple,
        google=google,
        pump=Pump(
            db,
            {
                **wallet_handlers(db, artwork, apple, google),
                "menu": menus.deliver,
                "push": pusher.deliver,
            },
            clock,
            never="hook",
        ),
        # A merchant's slow server takes no place from anybody's wallet.
        hooks=Pump(db, {"hook": sender.deliver}, clock, only="hook"),
        runner=Runner(Parts(settings=settings, db=db, vault=vault), clock),
        metrics=metrics,
        line_api=line_api,
        menus=menus,
    )
    return service, line_worker, IdentityLookup(db, vault, line_api, clock)


async def _listen(service: Service, host: str, port: int) -> tuple[web.AppRunner, str]:
    app = make_app(
        WebParts(
            settings=service.settings,
            db=service.db,
            clock=service.clock,
            vault=service.vault,
            links=service.links,
            artwork=service.artwork,
            apple=service.apple,
            google=service.google,
            metrics=service.metrics,
            line_api=service.line_api,
        )
    )
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=WEB_SECONDS,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
    )
    await runner.setup()
    # On a server's database, the next version starts on the port before this one ends.
    shared = service.db.dialect != "sqlite" and port != 0
    try:
        await web.TCPSite(runner, host, port, reuse_port=shared or None).start()
    except BaseException:
        await runner.cleanup()
        raise
    address = runner.addresses[0]
    return runner, f"http://{host}:{address[1]}"
