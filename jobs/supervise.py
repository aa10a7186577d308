"""Keeps a worker going: a crash is logged and it starts again, never silently dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

# Waits between restarts, in seconds; the last one stays.
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# A worker that lived this long was well: its next crash starts the waits anew.
WELL_SECONDS = 60.0

log = structlog.get_logger()


class Supervisor:
    """Workers of one process. Each is a `run()` that ends only after its `stop()`."""

    def __init__(self, back_off: tuple[float, ...] = BACK_OFF) -> None:
        self._back_off = back_off
        self._tasks: list[asyncio.Task[None]] = []
        self._stops: list[Callable[[], None]] = []
        self._stopping = asyncio.Event()

    def add(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        stop: Callable[[], None],
    ) -> None:
        """Start a worker."""
        self._stops.append(stop)
        self._tasks.append(asyncio.create_task(self._keep(name, run), name=name))

    async def stop(self, seconds: float) -> None:
        """Ask all workers to end; cut off what has not after `seconds`."""
        self._stopping.set()
        for stop in self._stops:
            stop()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            log.warning("worker_cut_off", worker=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        crashes = 0
        while not self._stopping.is_set():
            started = loop.time()
            try:
                await run()
            except Exception:
                log.exception("worker_crashed", worker=name)
            else:
                if self._stopping.is_set():
                    return
                log.error("worker_ended", worker=name)
            crashes = 0 if loop.time() - started > WELL_SECONDS else crashes + 1
            step = min(crashes, len(self._back_off)) - 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._back_off[max(step, 0)]):
                    await self._stopping.wait()
