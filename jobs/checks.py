"""The health checks: is everything as it must be for the promises to hold?

Green: fine. Yellow: somebody should know. Red: somebody must act.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from core.store.job_runs import last_runs
from jobs import check_channels, check_database
from jobs.backup_files import list_backups
from jobs.findings import Finding, green, red, yellow
from jobs.in_use import SAFE_SQLITE, database_file
from jobs.parts import Parts
from jobs.schedule import JOBS

# Daily at ten past three: older means that a night was missed.
OLDEST_BACKUP = timedelta(hours=26)
LITTLE_DISK = 1 << 30
TOO_LITTLE_DISK = 200 << 20

Check = Callable[[Parts, datetime], Awaitable[list[Finding]]]
log = structlog.get_logger()


async def run_checks(parts: Parts, now: datetime) -> list[Finding]:
    """Every check; one that cannot be made is red, and hides none of the others."""
    found: list[Finding] = []
    for name, check in CHECKS:
        try:
            found += await check(parts, now)
        except Exception as error:
            log.debug("check_failed", check=name, exc_info=True)
            found.append(red(name, f"cannot be checked: {type(error).__name__}"))
    return found


async def check_clock(parts: Parts, now: datetime) -> list[Finding]:
    """Does the service tell the real time?"""
    offset = parts.settings.clock_offset
    if offset:
        return [red("clock", f"moved by {offset}: a drill, not for real customers")]
    return [green("clock", now.isoformat(timespec="seconds"))]


async def check_disk(parts: Parts, now: datetime) -> list[Finding]:
    """Is there room to go on?"""
    del now
    folder: Path = parts.settings.data_dir
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free"
    if free < TOO_LITTLE_DISK:
        return [red("disk", text)]
    return [yellow("disk", text) if free < LITTLE_DISK else green("disk", text)]


async def check_backups(parts: Parts, now: datetime) -> list[Finding]:
    """Is the newest good backup young enough, and are all files still good?"""
    backups = await asyncio.to_thread(list_backups, parts.settings.backups)
    good = [b for b in backups if b.is_good and b.manifest]
    bad = [f"{b.name}: {b.problem}" for b in backups if not b.is_good]
    found = [red("backup file", problem) for problem in bad]
    if not good:
        runs = {run.name for run in await parts.db.read(last_runs)}
        tell = red if "backup" in runs else yellow
        return [*found, tell("backup", "none has been made yet")]
    assert good[0].manifest is not None
    age = now - good[0].manifest.made_at
    text = f"{good[0].name}, {age / timedelta(hours=1):.1f} h old, {len(good)} kept"
    tell = red if age > OLDEST_BACKUP else green
    return [*found, tell("backup", text)]


async def check_jobs(parts: Parts, now: datetime) -> list[Finding]:
    """How did each job's last run end?"""
    runs = {run.name: run for run in await parts.db.read(last_runs)}
    found = []
    for job in JOBS:
        name, run = f"job {job.name}", runs.get(job.name)
        if run is None:
            found.append(yellow(name, "has not run yet"))
        elif run.state == "failed":
            found.append(red(name, f"failed: {run.result.get('error', '')}"))
        elif now - run.due_at > job.grace + timedelta(hours=2):
            found.append(red(name, f"last ran for {run.due_at:%Y-%m-%d %H:%M} UTC"))
        elif run.result.get("red"):
            found += [red(name, problem) for problem in run.result["red"]]
        else:
            found.append(green(name, f"{run.state}, {run.due_at:%Y-%m-%d %H:%M} UTC"))
    return found


async def check_sqlite(parts: Parts, now: datetime) -> list[Finding]:
    """Which SQLite is it?"""
    del now
    if database_file(parts.settings) is None:
        return []
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        return [green("sqlite", version)]
    text = f"{version} is older than 3.51.3: one process only (it may damage a log)"
    return [yellow("sqlite", text)]


CHECKS: tuple[tuple[str, Check], ...] = (
    ("database", check_database.check_database),
    ("migrations", check_database.check_migrations),
    ("sqlite", check_sqlite),
    ("disk", check_disk),
    ("clock", check_clock),
    ("backup", check_backups),
    ("jobs", check_jobs),
    ("deliveries", check_database.check_deliveries),
    ("channels", check_channels.check_channels),
)
