"""INSERT … ON CONFLICT, which both databases spell the same but import apart."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from core.database import Tx

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_into(tx: Tx, table: Table) -> Any:
    """An INSERT of this transaction's dialect, with `.on_conflict_do_…` methods."""
    return _INSERTS[tx.dialect](table)


def put(tx: Tx, table: Table, row: dict[str, Any], *keys: str) -> None:
    """Insert `row`, or update the one that has the same `keys`."""
    statement = insert_into(tx, table).values(row)
    rest = {name: statement.excluded[name] for name in row if name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def put_if_new(tx: Tx, table: Table, row: dict[str, Any], *keys: str) -> bool:
    """Insert `row` unless one with the same `keys` is there; True when it was not.

    Without `keys`, any unique constraint counts.
    """
    return tx.execute(_if_new(tx.dialect, table, keys), row).first() is not None


@cache
def _if_new(dialect: str, table: Table, keys: tuple[str, ...]) -> Any:
    # Built once: to build a statement costs more than to run it.
    statement = _INSERTS[dialect](table)
    return statement.on_conflict_do_nothing(index_elements=keys or None).returning(
        next(iter(table.primary_key))
    )
