"""A shop with Apple Wallet: its web service on a port, APNs, and one iPhone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web
from sqlalchemy import select

from core.actions.grant import grant_stamps
from core.actions.passes import load_pass
from core.database import Database
from core.links import Links
from core.rules.asking import StampAsk
from core.rules.types import HeldPass, Limit
from core.store.tables import held_pass, outbox
from jobs.demo.apns import ApnsStandIn
from jobs.demo.apple_phone import ApplePhone
from jobs.pump import Pump
from jobs.wallets import wallet_handlers
from passes.apple.issuer import CONTENT_TYPE, AppleIssuer
from passes.artwork import Artwork
from tests.builders import BuiltShop, build_shop, coffee
from tests.passes.apple_chain import chain, connect_apple, tls
from tests.passes.test_apple_issuer import make_issuer, new_pass
from webhooks import apple
from webhooks.fetched import FETCH_NOTES, set_up_fetch_notes
from webhooks.keys import APPLE, CLOCK, DB


class AppleTown:
    """What `apple_town` gives; `notes` is what the web service has yet to write."""

    def __init__(self, db: Database, clock, shop: BuiltShop) -> None:
        self.db, self.clock, self.shop = db, clock, shop
        self.apns: ApnsStandIn
        self.phone: ApplePhone
        self.pump: Pump
        self.app: web.Application
        self.base = ""
        self._n_stamps = 0

    async def add(self, key: str = "card") -> HeldPass:
        """A pass on the phone, which asks at once for what changed."""
        view = await new_pass(self.shop, self.clock, key=key)
        await self.phone.add(f"{self.base}/add/{view.held.id}")
        await self.app[FETCH_NOTES].settle()
        return view.held

    async def stamp(self, held: HeldPass, *, arrives: bool = True) -> None:
        """One stamp and its push; one that does not arrive, APNs took all the same."""
        self._n_stamps += 1
        ask = StampAsk(
            merchant_id=held.merchant_id,
            key=f"stamp-{self._n_stamps}",
            how="api",
            card_id=held.card_id,
        )
        await self.db.write(grant_stamps, ask, self.clock.now())
        await self.deliver(held, arrives=arrives)

    async def deliver(self, held: HeldPass, *, arrives: bool = True) -> int:
        """Push what is due; how many pushes APNs took meanwhile."""
        before, seen = len(self.apns.pushes), self.phone.passes[held.id].n_updates
        self.apns.on_push = self.phone.pushed if arrives else None
        await self.pump.drain()
        count = len(self.apns.pushes) - before
        if arrives and count:
            await self.phone.wait_for_update(held.id, seen + 1, 20)
            await self.app[FETCH_NOTES].settle()
        return count

    def shown(self, held: HeldPass) -> str:
        """The count on the phone."""
        [field] = self.phone.passes[held.id].file.fields("header", "ja")
        return field["value"]

    async def row(self, held: HeldPass) -> Any:
        """The pass as it lies in the database."""
        mine = select(held_pass).where(held_pass.c.id == held.id)
        return await self.db.read(lambda tx: tx.execute(mine).one())

    async def waiting(self, held: HeldPass) -> Any:
        """What the outbox says of the pass, or None."""
        mine = select(outbox).where(outbox.c.topic == f"pass:{held.id}")
        return await self.db.read(lambda tx: tx.execute(mine).first())


@asynccontextmanager
async def apple_town(db, settings, vault, clock, port: int) -> AsyncIterator[AppleTown]:
    """Everything started; nobody has a card yet."""
    free = coffee(limit=Limit())
    shop = await build_shop(db, vault, clock.now(), design=free)
    await connect_apple(shop, vault, clock.now())
    town = AppleTown(db, clock, shop)
    town.base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        town.apns = ApnsStandIn(tls(), [chain().root_pem, chain().wwdr_pem], clock)
        await town.apns.start()
        stack.push_async_callback(town.apns.stop)
        links = Links(vault, town.base, clock)
        issuer = make_issuer(db, settings, vault, links, clock, town.apns)
        stack.push_async_callback(issuer.close)
        town.phone = ApplePhone(clock)
        await town.phone.start()
        stack.push_async_callback(town.phone.stop)
        town.pump = Pump(db, _handlers(db, issuer), clock)
        town.app = _app(db, clock, issuer)
        runner = web.AppRunner(town.app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield town


def _handlers(db: Database, issuer: AppleIssuer) -> Any:
    async def no_icon(*_: object) -> None:
        return None

    nobody: Any = None
    return wallet_handlers(db, Artwork(no_icon), issuer, nobody)


def _app(db: Database, clock, issuer: AppleIssuer) -> web.Application:
    async def add(request: web.Request) -> web.Response:
        """As the add-to-wallet page gives the file out."""
        view = await db.read(load_pass, request.match_info["id"], clock.now())
        assert view is not None
        response = web.Response(
            body=await issuer.build(view.held, view.face, clock.now()),
            content_type=CONTENT_TYPE,
        )
        response.last_modified = view.held.changed_at
        return response

    app = web.Application()
    app[DB], app[CLOCK], app[APPLE] = db, clock, issuer
    set_up_fetch_notes(app)
    app.add_routes(apple.routes)
    app.router.add_get("/add/{id}", add)
    return app
