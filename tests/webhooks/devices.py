"""A shop with several browsers: the owner's settings, and devices on the counter."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from sqlalchemy import select

from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.store.tables import device, journal, staff
from tests.builders import PASSWORD
from tests.webhooks.rooms import field, serve_rooms

PINS = {"owner": "4071", "manager": "8264", "clerk": "5093"}


class Browser:
    """One browser with cookies of its own; `path` is where it ended."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.status, self.path, self.page = 0, "", ""
        self.answer: aiohttp.ClientResponse | None = None

    async def get(self, path: str, **options: Any) -> str:
        return await self._read(await self.session.get(path, **options))

    async def post(self, path: str, form: Mapping[str, str], **options: Any) -> str:
        """Send a form with the hidden fields that the present page has."""
        names = [n for n in ("csrf", "key") if field(self.page, n)]
        sent = {n: field(self.page, n) for n in names} | dict(form)
        return await self._read(await self.session.post(path, data=sent, **options))

    async def settings(self, role: str = "owner", key: str = "aozora") -> Browser:
        form = {"email": f"{role}@{key}.jp", "password": PASSWORD}
        await self.post("/merchant/signin", form)
        assert self.path == "/merchant/" or role == "clerk", self.page
        return self

    async def tills(self) -> str:
        return await self.get("/merchant/tills")

    async def add_device(self, name: str, shop_id: str) -> str:
        """Make a device at the settings; the path of its link."""
        await self.tills()
        await self.post("/merchant/tills/devices", {"name": name, "shop": shop_id})
        return self.link()

    def link(self) -> str:
        found = re.search(r"/till/device/[\w-]+", self.page)
        assert found, self.page
        return found[0]

    async def open_link(self, link: str) -> Browser:
        await self.get(link)
        await self.post(link, {})
        return self

    async def pin(self, pin: str, after: str = "/till/") -> str:
        await self.get(f"/till/shift?next={after}")
        return await self.post(f"/till/shift?next={after}", {"pin": pin})

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}

    async def _read(self, answer: aiohttp.ClientResponse) -> str:
        self.answer, self.status, self.path = answer, answer.status, answer.url.path
        text = html.unescape(await answer.text())
        if answer.content_type == "text/html":
            self.page = text
        return text


class House:
    """The service, and as many browsers as a test opens."""

    def __init__(self, stack: AsyncExitStack, url: Any, db: Database) -> None:
        self._stack, self._url, self.db = stack, url, db

    async def browser(self, **cookies: str) -> Browser:
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self._url)
        session = aiohttp.ClientSession(
            self._url, cookie_jar=jar, headers={"Accept-Language": "ja"}
        )
        jar.update_cookies(cookies, self._url)
        return Browser(await self._stack.enter_async_context(session))

    async def device(self, shop_id: str, name: str = "カウンター") -> Browser:
        """A browser that is a device of the shop, with nobody on shift."""
        owner = await (await self.browser()).settings()
        link = await owner.add_device(name, shop_id)
        return await (await self.browser()).open_link(link)

    async def rows(self, table: Any) -> list[Any]:
        return await self.db.read(lambda tx: tx.execute(select(table)).all())

    async def devices(self) -> list[Any]:
        return await self.rows(device)

    async def staff_id(self, role: str) -> str:
        return next(s.id for s in await self.rows(staff) if s.role == role)

    async def acts(self) -> list[tuple[str, str]]:
        return [(row.action, row.actor) for row in await self.rows(journal)]


@asynccontextmanager
async def open_house(
    db: Database, settings: Settings, clock: Clock
) -> AsyncIterator[House]:
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client, AsyncExitStack() as stack:
        yield House(stack, client.make_url("/").origin(), db)


async def give_pins(db: Database, vault: Any, merchant_id: str) -> None:
    """The PINs of `PINS` for the shop's owner, manager and clerk."""

    def give(tx: Any) -> None:
        for role, pin in PINS.items():
            mine = (staff.c.merchant_id == merchant_id) & (staff.c.role == role)
            values = {"pin_mac": vault.pin_mac(merchant_id, pin), "name": role}
            tx.execute(staff.update().where(mine).values(values))

    await db.write(give)
