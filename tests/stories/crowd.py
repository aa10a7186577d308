"""Many people at once: in one process, or in two on the same database."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from core.config import Settings
from core.database import Database
from tests.stories.calls import Call

_SECONDS = 60.0
_LANES = 2
_READY = "ready"


async def do_at_once(db: Database, calls: Sequence[Call]) -> list[Any]:
    """All of them at the same moment; what each answered, in order."""
    return await asyncio.gather(*(db.write(call.run) for call in calls))


class TwoProcesses:
    """Two processes that wait for work. Each opens the database for itself."""

    def __init__(self) -> None:
        # Spawned, not forked: nothing of this process's connections goes along.
        spawning = multiprocessing.get_context("spawn")
        pairs = [spawning.Pipe() for _ in range(_LANES)]
        self._pipes: list[Connection] = [ours for ours, _ in pairs]
        self._processes = [
            spawning.Process(target=_work, args=(theirs,), daemon=True)
            for _, theirs in pairs
        ]
        for process, (_, theirs) in zip(self._processes, pairs, strict=True):
            process.start()
            theirs.close()

    async def do_at_once(self, settings: Settings, calls: Sequence[Call]) -> list[Any]:
        """Every second call in the one, the others in the other process.

        Both begin when both have their database open; the answers are in order.
        """
        return await asyncio.to_thread(self._do, settings, calls)

    def close(self) -> None:
        """Let both end."""
        for pipe in self._pipes:
            pipe.send(None)
            pipe.close()
        for process in self._processes:
            process.join(_SECONDS)
            process.close()

    def _do(self, settings: Settings, calls: Sequence[Call]) -> list[Any]:
        for lane, pipe in enumerate(self._pipes):
            pipe.send((settings, calls[lane::_LANES]))
        said = [_next(pipe) for pipe in self._pipes]
        are_ready = said == [_READY] * _LANES
        for pipe, first in zip(self._pipes, said, strict=True):
            if first == _READY:
                pipe.send(are_ready)
        # All are heard before anything is raised: the next crowd begins afresh.
        heard = [
            _next(pipe) if first == _READY else first
            for pipe, first in zip(self._pipes, said, strict=True)
        ]
        for error in heard:
            if isinstance(error, BaseException):
                raise error
        answers: list[Any] = [None] * len(calls)
        for lane, part in enumerate(heard):
            answers[lane::_LANES] = part
        return answers


def _next(pipe: Connection) -> Any:
    assert pipe.poll(_SECONDS), "the other process says nothing"
    return pipe.recv()


def _work(pipe: Connection) -> None:
    while (job := pipe.recv()) is not None:
        try:
            said = asyncio.run(_do_together(pipe, *job))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test must hear it
            said = AssertionError(f"in the other process: {error!r}")
        pipe.send(said)
    pipe.close()


async def _do_together(
    pipe: Connection, settings: Settings, calls: Sequence[Call]
) -> list[Any]:
    db = await Database.open(settings)
    try:
        await do_at_once(db, [Call(_connect)] * len(calls))
        pipe.send(_READY)
        return await do_at_once(db, calls) if _next(pipe) else []
    finally:
        await db.close()


def _connect(tx: Any) -> None:
    """Nothing, but over a connection that is open from then on."""
