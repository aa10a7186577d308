"""What health checks ask of the database: does it write, is it current, what waits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, text

from core.database import Tx
from core.rules.types import MerchantId
from core.store.answers import first_answer, keep_answer
from core.store.tables import inbox, outbox

# Nobody's row: one key among the answers, overwritten by each probe.
_NOBODY, _KEY = MerchantId(""), "probe"


def write_probe(tx: Tx, now: datetime) -> None:
    """Write a row for real: a full disk or a lost lock shows here."""
    first_answer(tx, _NOBODY, _KEY, now)
    keep_answer(tx, _NOBODY, _KEY, now.isoformat())


def stored_revision(tx: Tx) -> str:
    """The revision that the tables are at."""
    return str(tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def count_outbox_behind(tx: Tx) -> int:
    """How many topics have a newer state than was delivered.

    Merchants' webhooks do not count: their servers are not ours to keep up.
    """
    statement = select(func.count()).where(
        outbox.c.wanted > outbox.c.done, ~outbox.c.topic.startswith("hook:")
    )
    return int(tx.execute(statement).scalar_one())


def count_inbox_waiting(tx: Tx) -> int:
    """How many LINE events are not answered yet."""
    statement = select(func.count()).where(inbox.c.state == "waiting")
    return int(tx.execute(statement).scalar_one())
