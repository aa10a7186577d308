"""Starts jobs that are due, each once a due time over restarts and processes.

The truth is the row that `claim_run` makes; APScheduler only knocks every minute. Its
own bookkeeping drops runs that are more than a second late, and two processes with one
job store ran half of the jobs twice.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from core.clock import Clock
from core.store.job_runs import claim_run, finish_run, last_runs
from jobs.parts import Parts
from jobs.schedule import JOBS, Job, last_due

# A run without an end after this long was cut off: another process takes it over.
LEASE = timedelta(hours=1)
STOP_SECONDS = 5.0

log = structlog.get_logger()


class Runner:
    """Keeps the table of jobs going in one process."""

    def __init__(
        self, parts: Parts, clock: Clock, jobs: tuple[Job, ...] = JOBS
    ) -> None:
        self._parts = parts
        self._clock = clock
        self._jobs = jobs
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Start what is due, and what was missed, now and each minute until `stop`."""
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_job(
            self.start_due,
            CronTrigger(second=0, timezone=UTC),
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        scheduler.start()
        try:
            await self.start_due()
            await self._stopped.wait()
        finally:
            scheduler.shutdown(wait=False)
            await self._end()

    def stop(self) -> None:
        """Start nothing more; `run` returns soon, with jobs cut off if need be."""
        self._stopped.set()

    async def start_due(self) -> list[str]:
        """Claim and start every job that is due and not done; their names.

        A failed one is due again after five minutes, one that was cut off after its
        lease.
        """
        now = self._clock.now()
        runs = {run.name: run for run in await self._parts.db.read(last_runs)}
        started = []
        for job in self._jobs:
            due_at = last_due(job, now)
            last = runs.get(job.name)
            if due_at is None or job.name in self._running:
                continue
            if last and last.due_at >= due_at and last.state == "done":
                continue
            if await self._parts.db.write(claim_run, job.name, due_at, LEASE, now):
                self._start(job, due_at)
                started.append(job.name)
        return started

    async def finish(self) -> None:
        """Wait for the jobs that this process is running."""
        await asyncio.gather(*self._running.values())

    async def _end(self) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(self._running.values(), timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, job: Job, due_at: datetime) -> None:
        task = asyncio.create_task(self._run_one(job, due_at))
        self._running[job.name] = task
        task.add_done_callback(lambda _: self._running.pop(job.name, None))

    async def _run_one(self, job: Job, due_at: datetime) -> None:
        try:
            await run_claimed(self._parts, self._clock, job, due_at)
        except Exception:
            # Not even its end could be kept; the lease runs out and it runs again.
            log.exception("job_not_noted", job=job.name)


async def run_now(parts: Parts, clock: Clock, job: Job) -> tuple[str, dict[str, Any]]:
    """Run a job by hand, outside its times; its state and result."""
    due_at = clock.now()
    await parts.db.write(claim_run, job.name, due_at, LEASE, due_at)
    return await run_claimed(parts, clock, job, due_at)


async def run_claimed(
    parts: Parts, clock: Clock, job: Job, due_at: datetime
) -> tuple[str, dict[str, Any]]:
    """Run a job whose due time was claimed, and keep how it ended."""
    log.info("job_started", job=job.name, due_at=due_at.isoformat())
    try:
        result = await job.run(parts, clock.now())
        state = "done"
    except asyncio.CancelledError:
        # The service stops: the next one need not wait for the lease to run out.
        cut_off = {"error": "cut off, the service stopped"}
        await parts.db.write(
            finish_run, job.name, due_at, "failed", cut_off, clock.now()
        )
        raise
    except Exception as error:
        log.exception("job_failed", job=job.name)
        result = {"error": _one_line(error)}
        state = "failed"
    await parts.db.write(finish_run, job.name, due_at, state, result, clock.now())
    log.info("job_ended", job=job.name, state=state, red=result.get("red", []))
    return state, result


def _one_line(error: Exception) -> str:
    # SQLAlchemy puts a statement's parameters into the lines below the first.
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:500]
