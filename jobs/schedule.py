"""What time starts: one table, and when each of its jobs was last due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apscheduler.triggers.cron import CronTrigger

from jobs import (
    audit,
    backup,
    birthdays,
    expire,
    nudge,
    reconcile,
    remind,
    retention,
)
from jobs.parts import Parts

ZONE = "Asia/Tokyo"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Brings about one job's work. What it returns is kept and shown; sentences under
# "red" are what somebody must look at.
Run = Callable[[Parts, datetime], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Job:
    """`cron` has the five fields of crontab(5), in `ZONE`.

    `grace` is how late a missed run is still made up for.
    """

    name: str
    cron: str
    run: Run
    grace: timedelta


JOBS = (
    Job("backup", "10 3 * * *", backup.run, DAY),
    Job("retention", "30 3 * * *", retention.run, DAY),
    Job("audit", "50 3 * * *", audit.run, DAY),
    Job("reconcile", "20 4 * * *", reconcile.run, DAY),
    Job("expire", "5 * * * *", expire.run, HOUR),
    Job("birthdays", "15 * * * *", birthdays.run, HOUR),
    Job("remind", "20 * * * *", remind.run, HOUR),
    Job("nudge", "40 * * * *", nudge.run, HOUR),
)


def find_job(name: str, jobs: tuple[Job, ...] = JOBS) -> Job | None:
    """The job of this name, or None."""
    return next((job for job in jobs if job.name == name), None)


def last_due(job: Job, now: datetime) -> datetime | None:
    """The latest time at or before `now`, within its grace, at which it was due."""
    trigger = CronTrigger.from_crontab(job.cron, timezone=ZONE)
    found = None
    due = trigger.get_next_fire_time(None, now - job.grace)
    while due is not None and due <= now:
        found = due
        due = trigger.get_next_fire_time(due, due + timedelta(seconds=1))
    return found


def next_due(job: Job, now: datetime) -> datetime:
    """The first time after `now` at which it is due."""
    trigger = CronTrigger.from_crontab(job.cron, timezone=ZONE)
    found: datetime = trigger.get_next_fire_time(None, now + timedelta(seconds=1))
    return found
