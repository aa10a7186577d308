"""What the commands do that need the database: open it, do one thing, close it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import make_url, select, text

from core.actions.channels import (
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.merchants import find_merchant, list_merchants
from core.actions.publish import list_programs
from core.actions.shops import list_shops
from core.clock import Clock
from core.config import Settings, masked
from core.database import Database, Tx
from core.store.job_runs import JobRun, last_runs
from core.store.staff import list_team
from core.store.tables import api_key
from core.vault import Vault
from jobs.apply_file import apply_file
from jobs.backup_files import list_backups
from jobs.checks import run_checks
from jobs.findings import red
from jobs.parts import Parts
from jobs.runner import run_now
from jobs.schedule import JOBS, Job, next_due
from jobs.upgrade import prepare

T = TypeVar("T")


def check(settings: Settings, clock: Clock) -> dict[str, Any]:
    """Masked settings and every check; "red" says whether one is."""
    try:
        found = _with_parts(
            settings, clock, lambda p: run_checks(p, clock.now()), prepared=True
        )
    except Exception as error:  # noqa: BLE001 -- whatever keeps it shut is the finding
        found = [red("database", f"cannot be opened: {type(error).__name__}: {error}")]
    return {
        "settings": _shown(settings),
        "checks": [{"name": f.name, "state": f.state, "text": f.text} for f in found],
        "red": any(f.state == "red" for f in found),
    }


def apply(settings: Settings, file: Path, clock: Clock) -> dict[str, Any]:
    """Apply a merchant file; what the operator hands on."""

    async def run(parts: Parts) -> dict[str, Any]:
        handed = await apply_file(parts.db, parts.vault, settings, file, clock.now())
        return handed.as_dict()

    return _with_parts(settings, clock, run)


def merchants(settings: Settings, clock: Clock) -> list[dict[str, str]]:
    """Every merchant's key, id and name."""

    async def run(parts: Parts) -> list[dict[str, str]]:
        found = await parts.db.read(list_merchants)
        return [{"key": m.key, "id": m.id, "name": m.name} for m in found]

    return _with_parts(settings, clock, run)


def merchant(settings: Settings, key: str, clock: Clock) -> dict[str, Any]:
    """One merchant in the shape of `apply`, with its connections. `NotFound`."""
    return _with_parts(
        settings, clock, lambda parts: parts.db.read(_merchant, key, settings)
    )


def backups(settings: Settings) -> list[dict[str, Any]]:
    """Every backup, newest first, each read whole."""
    return [
        {
            "file": str(found.path),
            "made_at": found.manifest and found.manifest.made_at.isoformat(),
            "size": found.path.stat().st_size,
            "revision": found.manifest and found.manifest.revision,
            "counts": found.manifest.counts if found.manifest else {},
            "verified": found.is_good,
            "problem": found.problem,
        }
        for found in list_backups(settings.backups)
    ]


def run_job(settings: Settings, job: Job, clock: Clock) -> dict[str, Any]:
    """Run a job by hand; its state and result."""

    async def run(parts: Parts) -> dict[str, Any]:
        state, result = await run_now(parts, clock, job)
        return {"job": job.name, "state": state, "result": result}

    return _with_parts(settings, clock, run)


def job_list(settings: Settings, clock: Clock) -> list[dict[str, Any]]:
    """Every job of the table with its last run and its next time."""

    async def run(parts: Parts) -> list[dict[str, Any]]:
        runs = {run.name: run for run in await parts.db.read(last_runs)}
        return [_job(job, runs.get(job.name), clock) for job in JOBS]

    return _with_parts(settings, clock, run)


def _with_parts(
    settings: Settings,
    clock: Clock,
    work: Callable[[Parts], Awaitable[T]],
    *,
    prepared: bool = False,
) -> T:
    if not prepared:
        prepare(settings, clock.now())

    async def run() -> T:
        db = await Database.open(settings)
        try:
            if db.dialect == "sqlite" and not prepared:
                await db.write(_leave_the_log_alone)
            vault = Vault(settings.secret_key.get_secret_value())
            return await work(Parts(settings=settings, db=db, vault=vault))
        finally:
            await db.close()

    return asyncio.run(run())


def _leave_the_log_alone(tx: Tx) -> None:
    # A service may be running: only its writer checkpoints (sqlite.org/wal.html 11.1).
    tx.execute(text("PRAGMA wal_autocheckpoint=0"))


def _shown(settings: Settings) -> dict[str, str]:
    shown = masked(settings)
    if settings.database_url:
        url = make_url(settings.database_url)
        shown["database_url"] = url.render_as_string(hide_password=True)
    return shown


def _merchant(tx: Tx, key: str, settings: Settings) -> dict[str, Any]:
    found = find_merchant(tx, key)
    line = line_channel(tx, found.id)
    apple = apple_credentials(tx, found.id)
    google = google_credentials(tx, found.id)
    people = [m for m in list_team(tx, found.id) if m.left_at is None]
    keys = select(api_key.c.name).where(api_key.c.merchant_id == found.id)
    return {
        "merchant": {
            "key": found.key,
            "id": found.id,
            "name": found.name,
            "timezone": found.timezone,
            "day_starts_at": found.day_starts_at,
            "contact": found.contact,
            "languages": list(found.languages),
        },
        "line_webhook_url": f"{settings.public_url}/line/{found.key}",
        "google_callback_url": f"{settings.public_url}/google/{found.key}",
        "programs": [
            {"key": p.key, "id": p.id, "state": p.state, "version": p.version}
            for p in list_programs(tx, found.id)
        ],
        "shops": [{"key": s.key, "id": s.id} for s in list_shops(tx, found.id)],
        "staff": [
            {
                **({"email": m.staff.email} if m.staff.email else {}),
                **({"name": m.staff.name} if m.staff.name else {}),
                "role": m.staff.role,
                "pin": m.has_pin,
            }
            for m in sorted(people, key=lambda m: (m.staff.email, m.staff.name))
        ],
        "api_keys": [
            {"name": r.name} for r in tx.execute(keys.order_by(api_key.c.name))
        ],
        "line": line and {"channel_id": line.channel_id, "basic_id": line.basic_id},
        "apple": apple and {"pass_type_id": apple.pass_type_id},
        "google": google and {"issuer_id": google.issuer_id},
    }


def _job(job: Job, run: JobRun | None, clock: Clock) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": run and run.state,
        "due_at": run and run.due_at.isoformat(),
        "finished_at": run and run.finished_at and run.finished_at.isoformat(),
        "result": run and run.result,
        "next_at": next_due(job, clock.now()).isoformat(),
    }
