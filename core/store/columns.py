"""What the tables are made of: instants, ids, and the names of constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    MetaData,
    String,
    TypeDecorator,
)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite would drop the zone and mix instants up."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive values; UTC without a zone for SQLite."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime is no instant")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        del dialect
        if value is None:
            return None
        known: datetime = value
        return (
            known.replace(tzinfo=UTC) if known.tzinfo is None else known.astimezone(UTC)
        )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column(name: str, *, null: bool = False) -> Column[str]:
    """A column for one of our ids."""
    return Column(name, String(40), nullable=null)


def at_column(name: str, *, null: bool = False) -> Column[datetime]:
    """A column for an instant."""
    return Column(name, Instant(), nullable=null)


def merchant_column() -> Column[str]:
    """The column that says whose row it is."""
    return Column("merchant_id", String(40), nullable=False)
