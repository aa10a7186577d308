"""Each job once for each time it is due: over restarts, crashes and processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.database import Database
from core.store.job_runs import claim_run, last_runs
from jobs.parts import Parts
from jobs.runner import LEASE, Runner, run_now
from jobs.schedule import JOBS, Job, find_job, last_due, next_due

TOKYO = ZoneInfo("Asia/Tokyo")


class Work:
    """A job that counts, and fails as told."""

    def __init__(self) -> None:
        self.at: list[datetime] = []
        self.failures = 0
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, parts, now):
        self.at.append(now)
        self.started.set()
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the disk is full\nwith secret values below")
        return {"n": len(self.at)}


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def job(work):
    return Job("nightly", "10 3 * * *", work, timedelta(days=1))


@pytest.fixture
def parts(settings, db, vault):
    return Parts(settings=settings, db=db, vault=vault)


async def tick(parts, clock, job) -> None:
    runner = Runner(parts, clock, (job,))
    await runner.start_due()
    await runner.finish()


async def runs(db):
    return await db.read(last_runs)


def test_the_backup_is_due_at_ten_past_three_in_tokyo():
    job = find_job("backup")
    assert job is not None
    now = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

    assert last_due(job, now) == datetime(2026, 11, 23, 3, 10, tzinfo=TOKYO)
    assert next_due(job, now) == datetime(2026, 11, 24, 3, 10, tzinfo=TOKYO)
    exactly = datetime(2026, 11, 23, 3, 10, tzinfo=TOKYO)
    assert last_due(job, exactly) == exactly
    assert next_due(job, exactly) == exactly + timedelta(days=1)


def test_every_job_of_the_table_can_be_due():
    now = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    assert {job.name for job in JOBS} >= {"backup", "retention", "audit"}
    assert all(last_due(job, now) for job in JOBS)


async def test_a_job_runs_once_for_a_due_time(parts, clock, job, work):
    for _ in range(3):
        await tick(parts, clock, job)
    assert len(work.at) == 1

    clock.move(days=1)
    await tick(parts, clock, job)
    assert len(work.at) == 2


async def test_three_processes_run_it_once(settings, vault, clock, job, work):
    opened = [await Database.open(settings) for _ in range(3)]
    try:
        runners = [
            Runner(Parts(settings=settings, db=db, vault=vault), clock, (job,))
            for db in opened
        ]
        for _ in range(5):
            await asyncio.gather(*(runner.start_due() for runner in runners))
            await asyncio.gather(*(runner.finish() for runner in runners))
            clock.move(days=1)
        assert len(work.at) == 5
    finally:
        for db in opened:
            await db.close()


async def test_after_days_of_downtime_the_last_missed_run_is_made_up_for(
    parts, clock, job, work
):
    await tick(parts, clock, job)
    clock.move(days=9, hours=5)
    await tick(parts, clock, job)

    assert len(work.at) == 2
    (run,) = await runs(parts.db)
    assert run.due_at == last_due(job, clock.now())


async def test_a_run_that_is_too_late_is_left_out(parts, clock, work):
    job = Job("brief", "10 3 * * *", work, timedelta(hours=1))
    await tick(parts, clock, job)
    assert work.at == []


async def test_a_failed_job_runs_again_after_five_minutes(parts, clock, job, work):
    work.failures = 1
    await tick(parts, clock, job)
    (run,) = await runs(parts.db)
    assert run.state == "failed"
    assert run.result == {"error": "RuntimeError: the disk is full"}

    clock.move(minutes=4)
    await tick(parts, clock, job)
    assert len(work.at) == 1
    clock.move(minutes=1)
    await tick(parts, clock, job)
    (run,) = await runs(parts.db)
    assert (len(work.at), run.state) == (2, "done")


async def test_a_crashed_run_is_taken_over_after_its_lease(parts, clock, job, work):
    due_at = last_due(job, clock.now())
    # A process claims the run and is never heard of again.
    assert await parts.db.write(claim_run, job.name, due_at, LEASE, clock.now())

    clock.move(minutes=59)
    await tick(parts, clock, job)
    assert work.at == []
    clock.move(minutes=1)
    await tick(parts, clock, job)
    assert len(work.at) == 1


async def test_a_stopping_service_gives_its_run_back(
    parts, clock, job, work, monkeypatch
):
    monkeypatch.setattr("jobs.runner.STOP_SECONDS", 0.05)
    work.gate.clear()
    runner = Runner(parts, clock, (job,))
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        await work.started.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    (run,) = await runs(parts.db)
    assert run.state == "failed"

    clock.move(minutes=5)
    work.gate.set()
    await tick(parts, clock, job)
    (run,) = await runs(parts.db)
    assert run.state == "done"


async def test_run_starts_what_was_missed_and_stops_when_told(parts, clock, job, work):
    runner = Runner(parts, clock, (job,))
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        await work.started.wait()
        runner.stop()
        await running
    (run,) = await runs(parts.db)
    assert run.state == "done"


async def test_a_run_by_hand_is_kept_with_its_result(parts, clock, job):
    state, result = await run_now(parts, clock, job)

    assert (state, result) == ("done", {"n": 1})
    (run,) = await runs(parts.db)
    assert (run.state, run.result) == ("done", {"n": 1})
