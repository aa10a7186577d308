"""Very many phones, each with its Apple Wallet, and what they show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from core.clock import Clock
from jobs.demo.apns import ApnsStandIn
from jobs.demo.apple_phone import ApplePhone

# The phones of one test share so many connections.
CONNECTIONS = 32


class Phones:
    """Hears the pushes of all its phones; `serials` has the pass of each."""

    def __init__(self, web: aiohttp.ClientSession) -> None:
        self.serials: dict[str, str] = {}
        self._web = web
        self._by_token: dict[str, ApplePhone] = {}
        self._clock = Clock()

    async def add(self, pkpass_url: str, *, token: str = "") -> ApplePhone:
        """One more phone, with this pass; `token` names how APNs treats it."""
        phone = ApplePhone(self._clock)
        phone.push_token = token + phone.push_token
        await phone.start(self._web)
        self._by_token[phone.push_token] = phone
        self.serials[phone.push_token] = await phone.add(pkpass_url)
        return phone

    def pushed(self, token: str, topic: str) -> None:
        """Give this to the stand-in as `on_push`."""
        self._by_token[token].pushed(token, topic)

    def shows(self, phone: ApplePhone) -> tuple[str, str]:
        """The count and the colour on a phone's pass."""
        file = phone.passes[self.serials[phone.push_token]].file
        [count] = [each["value"] for each in file.fields("header", "ja")]
        return str(count), str(file.info["backgroundColor"])

    def problems(self) -> list[str]:
        """What went wrong on any of them."""
        return [line for each in self._by_token.values() for line in each.problems]

    async def stop(self) -> None:
        """Turn all off."""
        await asyncio.gather(*(phone.stop() for phone in self._by_token.values()))


@asynccontextmanager
async def many_phones(apns: ApnsStandIn) -> AsyncIterator[Phones]:
    """Phones that hear this push service."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as web:
        phones = Phones(web)
        apns.on_push = phones.pushed
        try:
            yield phones
        finally:
            await phones.stop()
