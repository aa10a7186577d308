"""Opens a copy of the database and checks all that can be checked in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.errors import StampcardError
from core.store.tables import metadata
from jobs.audit import questions


class BadCopy(StampcardError):
    """A copy of the database is not whole; it must not count as a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a checked copy holds."""

    counts: dict[str, int]
    revision: str | None


def prove(path: Path) -> Proof:
    """Check pages, keys, balances and tables of a SQLite file. Raises `BadCopy`."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return _prove(connection)
    except sqlite3.Error as error:
        raise BadCopy(f"cannot be read: {error}") from error


def _prove(connection: sqlite3.Connection) -> Proof:
    found = connection.execute("PRAGMA integrity_check(5)").fetchall()
    if found != [("ok",)]:
        raise BadCopy(f"integrity check: {found[0][0]}")
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
    if orphans:
        raise BadCopy(f"foreign keys: rows of {orphans[0][0]} point nowhere")
    tables = _tables(connection)
    if not {"card", "ledger_entry", "alembic_version"} <= tables:
        raise BadCopy("this is no database of this service")
    columns = connection.execute("SELECT name FROM pragma_table_info('card')")
    for question in questions({row[0] for row in columns}):
        wrong = connection.execute(question).fetchone()
        if wrong:
            raise BadCopy(f"card {wrong[1]} contradicts its ledger")
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return Proof(
        counts={name: _count(connection, name) for name in sorted(tables)},
        revision=revision[0] if revision else None,
    )


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row[0] for row in rows if not row[0].startswith("sqlite_")}


def _count(connection: sqlite3.Connection, table: str) -> int:
    # The name comes from the file's own list of tables.
    quoted = table.replace('"', '""')
    row = connection.execute(f'SELECT COUNT(*) FROM "{quoted}"').fetchone()  # noqa: S608 -- a table's name cannot be a parameter
    count: int = row[0]
    return count


def known_counts(counts: dict[str, int]) -> dict[str, int]:
    """The counts of the tables that this version of the service has."""
    return {name: n for name, n in counts.items() if name in metadata.tables}
