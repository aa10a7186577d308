"""The tables. Every one has `merchant_id` first in its key or an index, so that a
distributed PostgreSQL can place rows by merchant.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
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


def _id(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, String(40), nullable=null)


def _at(name: str, *, null: bool = False) -> Column[datetime]:
    return Column(name, Instant(), nullable=null)


def _merchant() -> Column[str]:
    return Column("merchant_id", String(40), nullable=False)


merchant = Table(
    "merchant",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("day_starts_at", Integer, nullable=False),
    Column("contact", Text, nullable=False),
    Column("languages", JSON, nullable=False),
    _at("created_at"),
)

line_channel = Table(
    "line_channel",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("channel_id", String(40), nullable=False),
    Column("sealed_secret", Text, nullable=False),
    Column("sealed_previous_secret", Text),
    Column("bot_user_id", String(64), nullable=False, server_default=""),
    Column("basic_id", String(64), nullable=False, server_default=""),
    _at("updated_at"),
)

apple_credentials = Table(
    "apple_credentials",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("pass_type_id", String(255), nullable=False),
    Column("team_id", String(20), nullable=False),
    Column("certificate_pem", Text, nullable=False),
    Column("sealed_key", Text, nullable=False),
    Column("wwdr_pem", Text, nullable=False),
    _at("updated_at"),
    Index("ix_apple_credentials_pass_type_id", "pass_type_id"),
)

google_credentials = Table(
    "google_credentials",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("issuer_id", String(40), nullable=False),
    Column("sealed_service_account", Text, nullable=False),
    _at("updated_at"),
)

shop = Table(
    "shop",
    metadata,
    _merchant(),
    _id("id"),
    Column("key", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("position", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "key"),
)

staff = Table(
    "staff",
    metadata,
    _merchant(),
    _id("id"),
    Column("email", String(320), nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("role", String(10), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    _at("locked_until", null=True),
    _at("created_at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "email"),
    Index("ix_staff_email", "email"),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _merchant(),
    _id("staff_id"),
    Column("csrf", String(64), nullable=False),
    _id("shop_id", null=True),
    Column("language", String(2), nullable=False),
    Column("kind", String(8), nullable=False),
    _at("started_at"),
    _at("seen_at"),
    _at("ends_at"),
    Index("ix_session_merchant_id_staff_id", "merchant_id", "staff_id"),
)

api_key = Table(
    "api_key",
    metadata,
    _merchant(),
    _id("id"),
    Column("name", String(64), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    _at("created_at"),
    _at("revoked_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "name"),
)

program = Table(
    "program",
    metadata,
    _merchant(),
    _id("id"),
    Column("key", String(32), nullable=False),
    Column("state", String(10), nullable=False),
    Column("version", Integer, nullable=False),
    Column("draft", JSON),
    Column("position", Integer, nullable=False, server_default="0"),
    _at("created_at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "key"),
    Index("ix_program_id", "id"),
)

program_version = Table(
    "program_version",
    metadata,
    _merchant(),
    _id("program_id"),
    Column("version", Integer, nullable=False),
    Column("design", JSON, nullable=False),
    _at("published_at"),
    _id("published_by", null=True),
    PrimaryKeyConstraint("merchant_id", "program_id", "version"),
    ForeignKeyConstraint(
        ["merchant_id", "program_id"],
        ["program.merchant_id", "program.id"],
        ondelete="RESTRICT",
    ),
)

picture = Table(
    "picture",
    metadata,
    _merchant(),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("merchant_id", "digest"),
)

customer = Table(
    "customer",
    metadata,
    _merchant(),
    _id("id"),
    Column("member_no", String(16), nullable=False),
    Column("line_user_id", String(64)),
    Column("name", Text, nullable=False, server_default=""),
    Column("language", String(2), nullable=False),
    Column("external_id", String(128)),
    _at("followed_at", null=True),
    _at("unfollowed_at", null=True),
    _at("created_at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "line_user_id"),
    UniqueConstraint("merchant_id", "member_no"),
    Index("ix_customer_merchant_id_external_id", "merchant_id", "external_id"),
)

card = Table(
    "card",
    metadata,
    _merchant(),
    _id("id"),
    _id("program_id"),
    _id("customer_id"),
    Column("version", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("balance", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("n_entries", Integer, nullable=False),
    Column("code", String(16), nullable=False, unique=True),
    Column("external_id", String(128)),
    _at("issued_at"),
    _at("first_stamp_at", null=True),
    _at("last_stamp_at", null=True),
    _at("expires_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "program_id", "customer_id"),
    ForeignKeyConstraint(
        ["merchant_id", "customer_id"],
        ["customer.merchant_id", "customer.id"],
        ondelete="RESTRICT",
    ),
    Index("ix_card_merchant_id_customer_id", "merchant_id", "customer_id"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    _merchant(),
    _id("id"),
    _id("card_id"),
    Column("seq", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("stamps", Integer, nullable=False),
    Column("balance", Integer, nullable=False),
    Column("how", String(8), nullable=False),
    Column("version", Integer, nullable=False),
    _id("shop_id", null=True),
    _id("staff_id", null=True),
    _id("undoes", null=True),
    Column("reason", Text, nullable=False, server_default=""),
    _at("at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "card_id", "seq"),
    ForeignKeyConstraint(
        ["merchant_id", "card_id"], ["card.merchant_id", "card.id"], ondelete="RESTRICT"
    ),
    Index("ix_ledger_entry_merchant_id_card_id_at", "merchant_id", "card_id", "at"),
    Index(
        "ix_ledger_entry_undoes",
        "merchant_id",
        "undoes",
        unique=True,
        sqlite_where=text("undoes IS NOT NULL"),
        postgresql_where=text("undoes IS NOT NULL"),
    ),
)

answered = Table(
    "answered",
    metadata,
    _merchant(),
    Column("key", String(200), nullable=False),
    Column("answer", JSON),
    _at("at"),
    PrimaryKeyConstraint("merchant_id", "key"),
)

refusal = Table(
    "refusal",
    metadata,
    _merchant(),
    _id("id"),
    _id("customer_id"),
    Column("why", String(20), nullable=False),
    Column("code", String(16), nullable=False),
    _at("at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    Index("ix_refusal_merchant_id_customer_id_at", "merchant_id", "customer_id", "at"),
)

voucher = Table(
    "voucher",
    metadata,
    _merchant(),
    _id("id"),
    _id("card_id"),
    Column("number", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(10), nullable=False),
    _id("entry_id"),
    _at("issued_at"),
    _at("expires_at", null=True),
    Column("reward_at", Integer),
    _at("redeemed_at", null=True),
    _id("redemption_id", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    ForeignKeyConstraint(
        ["merchant_id", "card_id"], ["card.merchant_id", "card.id"], ondelete="RESTRICT"
    ),
    Index("ix_voucher_merchant_id_card_id", "merchant_id", "card_id"),
)

till_code = Table(
    "till_code",
    metadata,
    _merchant(),
    Column("code", String(8), nullable=False),
    Column("digits", String(6), nullable=False),
    _id("program_id"),
    _id("shop_id"),
    _id("staff_id", null=True),
    Column("stamps", Integer, nullable=False),
    _at("created_at"),
    _at("expires_at"),
    _at("claimed_at", null=True),
    _id("claimed_by", null=True),
    _id("entry_id", null=True),
    PrimaryKeyConstraint("merchant_id", "code"),
    Index("ix_till_code_code", "code"),
    Index("ix_till_code_merchant_id_digits", "merchant_id", "digits"),
)

held_pass = Table(
    "held_pass",
    metadata,
    _merchant(),
    _id("id"),
    _id("card_id"),
    Column("issuer", String(6), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("installed", Boolean, nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "card_id", "issuer"),
    ForeignKeyConstraint(
        ["merchant_id", "card_id"], ["card.merchant_id", "card.id"], ondelete="RESTRICT"
    ),
    Index("ix_held_pass_id", "id"),
)

pass_device = Table(
    "pass_device",
    metadata,
    _merchant(),
    _id("pass_id"),
    Column("device_id", String(128), nullable=False),
    Column("push_token", String(256), nullable=False),
    _at("registered_at"),
    PrimaryKeyConstraint("merchant_id", "pass_id", "device_id"),
    Index("ix_pass_device_merchant_id_device_id", "merchant_id", "device_id"),
)

inbox = Table(
    "inbox",
    metadata,
    _merchant(),
    Column("event_id", String(80), nullable=False),
    Column("person", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    _at("happened_at"),
    _at("received_at"),
    _at("reply_deadline"),
    _at("due_at"),
    _at("lease_until", null=True),
    _at("finished_at", null=True),
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
    _merchant(),
    Column("topic", String(80), nullable=False),
    Column("wanted", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    _at("first_at"),
    _at("due_at"),
    _at("lease_until", null=True),
    PrimaryKeyConstraint("merchant_id", "topic"),
    Index(
        "ix_outbox_due",
        "priority",
        "due_at",
        sqlite_where=text("wanted > done"),
        postgresql_where=text("wanted > done"),
    ),
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
    _at("at"),
    Index("ix_journal_merchant_id_at", "merchant_id", "at"),
    Index("ix_journal_at", "at"),
)

job_run = Table(
    "job_run",
    metadata,
    Column("name", String(40), nullable=False),
    _at("due_at"),
    Column("state", String(8), nullable=False),
    Column("result", JSON, nullable=False),
    _at("started_at"),
    _at("lease_until"),
    _at("finished_at", null=True),
    PrimaryKeyConstraint("name", "due_at"),
)
