"""The tables of what people asked for and what became of it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from core.store.columns import at_column, id_column, merchant_column, metadata

# A code that many may use (a till's window, a printed one): who did, and on which
# business day; "" where one use is all that anybody gets.
code_use = Table(
    "code_use",
    metadata,
    merchant_column(),
    Column("code", String(8), nullable=False),
    id_column("customer_id"),
    Column("day", String(10), nullable=False),
    id_column("entry_id"),
    at_column("at"),
    PrimaryKeyConstraint("merchant_id", "code", "customer_id", "day"),
)

receipt_batch = Table(
    "receipt_batch",
    metadata,
    merchant_column(),
    id_column("id"),
    Column("name", Text, nullable=False),
    id_column("program_id"),
    id_column("shop_id"),
    Column("stamps", Integer, nullable=False),
    Column("n_codes", Integer, nullable=False),
    at_column("expires_at", null=True),
    at_column("made_at"),
    at_column("revoked_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
)

redemption = Table(
    "redemption",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("voucher_id"),
    id_column("card_id"),
    id_column("shop_id", null=True),
    Column("state", String(10), nullable=False),
    at_column("asked_at"),
    at_column("expires_at"),
    at_column("decided_at", null=True),
    id_column("staff_id", null=True),
    id_column("entry_id", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    Index(
        "ix_redemption_waiting",
        "merchant_id",
        "voucher_id",
        unique=True,
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

claim = Table(
    "claim",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("customer_id"),
    id_column("card_id"),
    Column("text", Text, nullable=False),
    Column("refusals", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    at_column("made_at"),
    at_column("decided_at", null=True),
    id_column("staff_id", null=True),
    id_column("entry_id", null=True),
    Column("answer", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("merchant_id", "id"),
    Index("ix_claim_merchant_id_customer_id", "merchant_id", "customer_id"),
    Index(
        "ix_claim_open",
        "merchant_id",
        "card_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

link_code = Table(
    "link_code",
    metadata,
    merchant_column(),
    Column("code", String(8), nullable=False),
    id_column("customer_id"),
    at_column("made_at"),
    at_column("expires_at"),
    at_column("used_at", null=True),
    PrimaryKeyConstraint("merchant_id", "code"),
    Index("ix_link_code_merchant_id_customer_id", "merchant_id", "customer_id"),
)

# One merge of two customers: `moved` has a row for each pair of cards.
link = Table(
    "link",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("from_customer_id"),
    id_column("to_customer_id"),
    Column("moved", JSON, nullable=False),
    at_column("linked_at"),
    at_column("undone_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    Index("ix_link_merchant_id_to_customer_id", "merchant_id", "to_customer_id"),
    Index(
        "ix_link_standing",
        "merchant_id",
        "from_customer_id",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
)
