"""The service as a process of its own, which can be killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from core.config import PREFIX, Settings

_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-c", "from jobs.cli import main; main()")
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_STRIKE_SECONDS = 20.0


class ServiceProcess:
    """`stampcard serve` on `port`. `log` is the file of all that it ever wrote."""

    def __init__(self, settings: Settings, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._settings = settings
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._is_over = True

    async def start(self, *, role: str = "all", later: int = 0) -> None:
        """Start it, its clock `later` seconds ahead, and wait until it can stamp."""
        given = environment(self._settings)
        if later:
            given[f"{PREFIX}CLOCK_OFFSET"] = f"+{later}s"
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
        self._is_over = False
        async with aiohttp.ClientSession() as web:
            await eventually(lambda: self._is_ready(web), _START_SECONDS)

    def strike(self) -> None:
        """SIGKILL: it ends between any two instructions."""
        # Once: a second signal would reap it, and hide its exit code from asyncio.
        if self._process is not None and not self._is_over:
            self._is_over = True
            self._process.kill()

    async def struck(self) -> None:
        """Wait until it has been struck, whoever does it."""
        assert await self._exit_code(_STRIKE_SECONDS) == -signal.SIGKILL

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
        return await self._exit_code(_STOP_SECONDS)

    def errors(self) -> list[str]:
        """Every line of the log that tells of an error of the program itself."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if _is_error(line)]

    async def _exit_code(self, seconds: float) -> int:
        assert self._process is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
        self._is_over = True
        return code

    async def _is_ready(self, web: aiohttp.ClientSession) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-4000:]
        try:
            async with web.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    """Ask again and again until there is something; TimeoutError if never."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 -- what is looked at lies in another process
            await asyncio.sleep(0.02)
        return found


def quiet_port() -> int:
    """A port that nobody listens on, and that no outgoing connection will take."""
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


def _is_error(line: str) -> bool:
    try:
        told: Mapping[str, Any] = json.loads(line)
    except ValueError:
        return True
    return told.get("level") in {"error", "critical"} or "exception" in told
