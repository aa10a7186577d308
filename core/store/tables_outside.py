"""The tables of what comes in and goes out: passes, events, deliveries, logs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from core.store.columns import at_column, id_column, merchant_column, metadata

held_pass = Table(
    "held_pass",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("card_id"),
    Column("issuer", String(6), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("installed", Boolean, nullable=False),
    at_column("created_at"),
    at_column("replaced_at", null=True),
    # Apple's: the newest `changed_at` that a phone has fetched, and that for which the
    # phones were pushed to once more.
    Column("fetched", BigInteger, nullable=False, server_default="0"),
    Column("nudged", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("merchant_id", "id"),
    ForeignKeyConstraint(
        ["merchant_id", "card_id"], ["card.merchant_id", "card.id"], ondelete="RESTRICT"
    ),
    Index("ix_held_pass_id", "id"),
    # Beside any number of passes that were replaced, one that is good.
    Index(
        "ix_held_pass_current",
        "merchant_id",
        "card_id",
        "issuer",
        unique=True,
        sqlite_where=text("replaced_at IS NULL"),
        postgresql_where=text("replaced_at IS NULL"),
    ),
)

pass_device = Table(
    "pass_device",
    metadata,
    merchant_column(),
    id_column("pass_id"),
    Column("device_id", String(128), nullable=False),
    Column("push_token", String(256), nullable=False),
    at_column("registered_at"),
    PrimaryKeyConstraint("merchant_id", "pass_id", "device_id"),
    Index("ix_pass_device_merchant_id_device_id", "merchant_id", "device_id"),
)

# Each value of a rotating barcode opens its card once. `used_by` is who scanned it.
used_barcode = Table(
    "used_barcode",
    metadata,
    merchant_column(),
    id_column("pass_id"),
    Column("counter", BigInteger, nullable=False),
    Column("used_by", String(80), nullable=False),
    at_column("used_at"),
    PrimaryKeyConstraint("merchant_id", "pass_id", "counter"),
    ForeignKeyConstraint(
        ["merchant_id", "pass_id"],
        ["held_pass.merchant_id", "held_pass.id"],
        ondelete="RESTRICT",
    ),
    Index("ix_used_barcode_used_at", "used_at"),
)

inbox = Table(
    "inbox",
    metadata,
    merchant_column(),
    Column("event_id", String(80), nullable=False),
    Column("person", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    at_column("happened_at"),
    at_column("received_at"),
    at_column("reply_deadline"),
    at_column("due_at"),
    at_column("lease_until", null=True),
    at_column("finished_at", null=True),
    PrimaryKeyConstraint("merchant_id", "event_id"),
    Index(
        "ix_inbox_waiting",
        "merchant_id",
        "person",
        "happened_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

outbox = Table(
    "outbox",
    metadata,
    merchant_column(),
    Column("topic", String(80), nullable=False),
    Column("wanted", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    at_column("first_at"),
    at_column("due_at"),
    at_column("lease_until", null=True),
    PrimaryKeyConstraint("merchant_id", "topic"),
    Index(
        "ix_outbox_due",
        "priority",
        "due_at",
        sqlite_where=text("wanted > done"),
        postgresql_where=text("wanted > done"),
    ),
)

hook = Table(
    "hook",
    metadata,
    merchant_column(),
    id_column("id"),
    Column("url", Text, nullable=False),
    Column("sealed_secret", Text, nullable=False),
    Column("events", JSON, nullable=False),
    at_column("created_at"),
    at_column("stopped_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
)

hook_delivery = Table(
    "hook_delivery",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("hook_id"),
    id_column("event_id"),
    Column("type", String(40), nullable=False),
    Column("data", JSON, nullable=False),
    Column("body", Text, nullable=False, server_default=""),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("status", Integer),
    Column("error", Text, nullable=False, server_default=""),
    at_column("made_at"),
    at_column("tried_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    Index("ix_hook_delivery_merchant_id_hook_id", "merchant_id", "hook_id", "id"),
)

# How a merchant lets us push into LINE, and what LINE says is left of the month.
push_plan = Table(
    "push_plan",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("is_allowed", Boolean, nullable=False, server_default=false()),
    Column("ceiling", Integer),
    Column("quiet_from", Integer, nullable=False, server_default="21"),
    Column("quiet_to", Integer, nullable=False, server_default="9"),
    at_column("closed_until", null=True),
    Column("quota", Integer),
    Column("used", Integer),
    at_column("looked_at", null=True),
    at_column("updated_at"),
)

# What is to be said to one customer on an occasion, once. `id` is LINE's retry key.
notice = Table(
    "notice",
    metadata,
    merchant_column(),
    id_column("id"),
    id_column("customer_id"),
    id_column("card_id", null=True),
    Column("kind", String(20), nullable=False),
    Column("occasion", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("route", String(10), nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
    at_column("made_at"),
    at_column("told_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "customer_id", "kind", "occasion"),
    Index("ix_notice_merchant_id_state", "merchant_id", "state", "made_at"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("merchant_id", String(40)),
    Column("actor", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
    at_column("at"),
    Index("ix_journal_merchant_id_at", "merchant_id", "at"),
    Index("ix_journal_at", "at"),
)

job_run = Table(
    "job_run",
    metadata,
    Column("name", String(40), nullable=False),
    at_column("due_at"),
    Column("state", String(8), nullable=False),
    Column("result", JSON, nullable=False),
    at_column("started_at"),
    at_column("lease_until"),
    at_column("finished_at", null=True),
    PrimaryKeyConstraint("name", "due_at"),
)
