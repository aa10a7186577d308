"""Checks of the database: does it take a write, is it up to date, is anything stuck?"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from core.actions.probes import newest_revision, stored_revision, write_probe
from core.database import Tx
from core.store.tables import outbox
from jobs.findings import Finding, green, red, yellow
from jobs.parts import Parts

# Deliveries wait seconds as a rule; this long means that a platform is away.
SLOW = timedelta(minutes=10)


async def check_database(parts: Parts, now: datetime) -> list[Finding]:
    """Write a row and read."""
    await parts.db.write(write_probe, now)
    await parts.db.read(stored_revision)
    return [green("database", f"{parts.db.dialect}, written and read")]


async def check_migrations(parts: Parts, now: datetime) -> list[Finding]:
    """Has the database the tables that this program expects?"""
    del now
    try:
        present = await parts.db.read(stored_revision)
    except DBAPIError:
        present = None
    newest = newest_revision()
    if present == newest:
        return [green("migrations", f"at {newest}")]
    return [red("migrations", f"at {present}, should be {newest}: stampcard migrate")]


async def check_deliveries(parts: Parts, now: datetime) -> list[Finding]:
    """Does anything wait long to be delivered, or is it given up?"""
    waiting, oldest, dead = await parts.db.read(_outbox)
    found = []
    if dead:
        found.append(red("deliveries", f"{dead} given up"))
    if oldest is not None and now - oldest > SLOW:
        minutes = (now - oldest) / timedelta(minutes=1)
        found.append(yellow("deliveries", f"{waiting} wait, {minutes:.0f} min at most"))
    return found or [green("deliveries", f"{waiting} wait")]


def _outbox(tx: Tx) -> tuple[int, datetime | None, int]:
    # A merchant's own server that is down is shown to the merchant; see `jobs.hooks`.
    is_ours = ~outbox.c.topic.startswith("hook:")
    behind = is_ours & (outbox.c.wanted > outbox.c.done)
    waiting = tx.execute(
        select(func.count().label("n"), func.min(outbox.c.first_at).label("oldest"))
        .select_from(outbox)
        .where(behind, outbox.c.dead.is_(False))
    ).one()
    dead = tx.execute(
        select(func.count()).select_from(outbox).where(behind, outbox.c.dead.is_(True))
    ).scalar_one()
    return waiting.n, waiting.oldest, dead
