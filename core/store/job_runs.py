"""Which job ran for which due time: one row a tick, whoever's process it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select

from core.database import Tx
from core.store.tables import job_run
from core.store.upsert import put_if_new


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job: `state` is "running", "done" or "failed"."""

    name: str
    due_at: datetime
    state: str
    result: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None


def claim_run(
    tx: Tx, name: str, due_at: datetime, lease: timedelta, now: datetime
) -> bool:
    """Take the tick `due_at` of a job; False when it is done or someone is at it.

    A run whose lease has passed was cut off: it is taken over.
    """
    row = {
        "name": name,
        "due_at": due_at,
        "state": "running",
        "result": {},
        "started_at": now,
        "lease_until": now + lease,
    }
    if put_if_new(tx, job_run, row, "name", "due_at"):
        return True
    again = tx.execute(
        job_run.update()
        .where(
            _tick(name, due_at),
            job_run.c.state != "done",
            job_run.c.lease_until <= now,
        )
        .values(state="running", started_at=now, lease_until=now + lease)
    )
    return again.rowcount == 1


def finish_run(
    tx: Tx,
    name: str,
    due_at: datetime,
    state: str,
    result: dict[str, Any],
    now: datetime,
) -> None:
    """The run ended, "done" or "failed"."""
    values = {"state": state, "result": result, "finished_at": now}
    if state == "failed":
        values["lease_until"] = now + timedelta(minutes=5)
    tx.execute(job_run.update().where(_tick(name, due_at)).values(values))


def last_runs(tx: Tx) -> list[JobRun]:
    """The newest run of each job."""
    newest = (
        select(job_run.c.name, func.max(job_run.c.due_at).label("due_at"))
        .group_by(job_run.c.name)
        .subquery()
    )
    rows = tx.execute(
        select(job_run)
        .join(
            newest,
            (newest.c.name == job_run.c.name) & (newest.c.due_at == job_run.c.due_at),
        )
        .order_by(job_run.c.name)
    )
    return [_run(row) for row in rows]


def _tick(name: str, due_at: datetime) -> Any:
    return (job_run.c.name == name) & (job_run.c.due_at == due_at)


def _run(row: Row[Any]) -> JobRun:
    return JobRun(
        name=row.name,
        due_at=row.due_at,
        state=row.state,
        result=row.result,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
