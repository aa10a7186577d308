"""An iPhone's side of Apple Wallet: takes passes, registers, hears pushes, updates.

It speaks the PassKit web service as a device does.
https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from ulid import ULID

from core.clock import Clock
from core.rules.types import Language
from jobs.demo.bell import Bell
from jobs.demo.pass_file import BadPass, PassFile, change_message, open_pass

_TYPE = "application/vnd.apple.pkpass"


@dataclass(slots=True, kw_only=True)
class PhonePass:
    """A pass on the phone; `n_updates` counts the replacements since it was added."""

    file: PassFile
    last_modified: str
    added_at: datetime
    n_updates: int = 0
    is_registered: bool = False

    @property
    def base(self) -> str:
        """Where the pass's web service lives, "" for a pass without one."""
        return str(self.file.info.get("webServiceURL", "")).rstrip("/")

    @property
    def pass_type(self) -> str:
        """The pass type identifier, which is also the push topic."""
        return str(self.file.info["passTypeIdentifier"])

    @property
    def auth(self) -> dict[str, str]:
        """The header by which the phone proves that it holds the pass."""
        token = self.file.info.get("authenticationToken", "")
        return {"Authorization": f"ApplePass {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A line on the lock screen."""

    notice_id: str
    serial: str
    text: str
    at: datetime


class ApplePhone:
    """A phone with one Wallet. `bell` rings at each change; `problems` is its log."""

    def __init__(self, clock: Clock, language: Language = "ja") -> None:
        self.device_id = secrets.token_hex(16)
        self.push_token = "a0" + secrets.token_hex(31)
        self.passes: dict[str, PhonePass] = {}
        self.notices: list[Notice] = []
        self.problems: list[str] = []
        self.bell = Bell()
        self._clock = clock
        self.language: Language = language
        self._tags: dict[tuple[str, str], str] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._is_shared = False

    async def start(self, shared: aiohttp.ClientSession | None = None) -> None:
        """Open the phone's connection to the world, or use one with others."""
        self._is_shared = shared is not None
        self._session = shared or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10),
            headers={"User-Agent": "PassKit/1.0 (demo)"},
        )

    async def stop(self) -> None:
        """Drop what is under way and close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None and not self._is_shared:
            await self._session.close()

    async def add(self, pkpass_url: str) -> str:
        """Fetch a pass and keep it, as after "Add to Apple Wallet"; its serial number.

        Raises BadPass where an iPhone would show "cannot add".
        """
        async with self._turn:
            async with self._web.get(pkpass_url) as answer:
                if answer.status != 200 or answer.content_type != _TYPE:  # noqa: PLR2004 -- HTTP's OK
                    raise BadPass(f"{answer.status} {answer.content_type}")
                held = PhonePass(
                    file=open_pass(await answer.read()),
                    last_modified=answer.headers.get("Last-Modified", ""),
                    added_at=self._clock.now(),
                )
            self.passes[held.file.serial] = held
            self.bell.ring()
            if held.base:
                await self._register(held)
                # A device asks what changed right after it registered.
                self._tags.pop((held.base, held.pass_type), None)
                await self._update(held.base, held.pass_type)
        return held.file.serial

    async def remove(self, serial: str) -> None:
        """Delete a pass from the phone and sign it off."""
        async with self._turn:
            held = self.passes.pop(serial)
            self.bell.ring()
            if held.base:
                async with self._web.delete(
                    self._registration(held), headers=held.auth
                ) as answer:
                    await self._complain(held, "Unregister task", answer.status, {200})

    async def pull(self, serial: str) -> None:
        """Pull to refresh on the back of a pass: no push takes part."""
        async with self._turn:
            await self._fetch(self.passes[serial])

    def pushed(self, token: str, topic: str) -> None:
        """A push arrived for `token`; give this to the push stand-in as `on_push`."""
        if token == self.push_token:
            task = asyncio.get_running_loop().create_task(self._wake(topic))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def wait_for_update(
        self,
        serial: str,
        n_updates: int = 1,
        timeout: float = 5.0,  # noqa: ASYNC109 -- a test's deadline
    ) -> PhonePass:
        """The pass, once it was replaced `n_updates` times; TimeoutError if not."""

        def look() -> PhonePass | None:
            held = self.passes.get(serial)
            return held if held and held.n_updates >= n_updates else None

        return await self.bell.until(look, timeout)

    async def _wake(self, topic: str) -> None:
        async with self._turn:
            bases = {p.base for p in self.passes.values() if p.pass_type == topic}
            for base in sorted(bases - {""}):
                try:
                    await self._update(base, topic)
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    self.problems.append(f"update of {topic}: {error!r}")

    async def _register(self, held: PhonePass) -> None:
        async with self._web.post(
            self._registration(held),
            json={"pushToken": self.push_token},
            headers=held.auth,
        ) as answer:
            held.is_registered = answer.status in (200, 201)
            await self._complain(held, "Register task", answer.status, {200, 201})

    async def _update(self, base: str, pass_type: str) -> None:
        url = f"{base}/v1/devices/{self.device_id}/registrations/{pass_type}"
        tag = self._tags.get((base, pass_type))
        params = {"passesUpdatedSince": tag} if tag else {}
        async with self._web.get(url, params=params) as answer:
            if answer.status == 204:  # noqa: PLR2004 -- HTTP's No Content
                return
            answer.raise_for_status()
            changed: dict[str, Any] = await answer.json()
        if not isinstance(changed["lastUpdated"], str):
            raise TypeError("lastUpdated must be a string")
        self._tags[base, pass_type] = changed["lastUpdated"]
        for serial in changed["serialNumbers"]:
            if serial in self.passes:
                await self._fetch(self.passes[serial])

    async def _fetch(self, held: PhonePass) -> None:
        url = f"{held.base}/v1/passes/{held.pass_type}/{held.file.serial}"
        headers = held.auth
        if held.last_modified:
            headers["If-Modified-Since"] = held.last_modified
        async with self._web.get(url, headers=headers) as answer:
            await self._complain(held, "Get pass task", answer.status, {200, 304})
            if answer.status != 200:  # noqa: PLR2004 -- HTTP's OK
                return
            new = open_pass(await answer.read())
            modified = answer.headers.get("Last-Modified", "")
        if not modified:
            await self._log(held, "did not provide a 'last-modified' header")
        old, held.file, held.last_modified = held.file, new, modified
        held.n_updates += 1
        if text := change_message(old, new, self.language):
            self.notices.append(
                Notice(
                    notice_id=str(ULID()),
                    serial=new.serial,
                    text=text,
                    at=self._clock.now(),
                )
            )
        self.bell.ring()

    async def _complain(
        self, held: PhonePass, task: str, status: int, good: set[int]
    ) -> None:
        if status not in good:
            await self._log(held, f"{task} encountered error: status {status}")

    async def _log(self, held: PhonePass, problem: str) -> None:
        line = (
            f"{problem} (pass type {held.pass_type}, serial number {held.file.serial})"
        )
        self.problems.append(line)
        async with self._web.post(f"{held.base}/v1/log", json={"logs": [line]}):
            pass

    def _registration(self, held: PhonePass) -> str:
        return (
            f"{held.base}/v1/devices/{self.device_id}/registrations"
            f"/{held.pass_type}/{held.file.serial}"
        )

    @property
    def _web(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the phone has not been started")
        return self._session
