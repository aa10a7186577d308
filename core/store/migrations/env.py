"""Alembic's entry: runs on the connection that `core.store.migrate` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from core.store.columns import Instant
from core.store.tables import metadata


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    # A migration must not change when the code's own type does.
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_render,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
