"""The tables of what a merchant sets up: shops, staff, programs, connections."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from core.store.columns import at_column, id_column, merchant_column, metadata

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
    Column("has_hooks", Boolean, nullable=False, server_default=false()),
    Column("phone_pin", Boolean, nullable=False, server_default=false()),
    at_column("created_at"),
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
    Column("name", String(200), nullable=False, server_default=""),
    Column("setup", JSON),
    Column("menu", JSON),
    Column("menu_wanted", String(200), nullable=False, server_default=""),
    at_column("previous_until", null=True),
    Column("holds_replies", Boolean, nullable=False, server_default=true()),
    at_column("updated_at"),
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
    at_column("updated_at"),
    Index("ix_apple_credentials_pass_type_id", "pass_type_id"),
)

# The key of a certificate that Apple is being asked for.
apple_request = Table(
    "apple_request",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("sealed_key", Text, nullable=False),
    at_column("made_at"),
)

google_credentials = Table(
    "google_credentials",
    metadata,
    Column("merchant_id", String(40), primary_key=True),
    Column("issuer_id", String(40), nullable=False),
    Column("sealed_service_account", Text, nullable=False),
    at_column("updated_at"),
)

shop = Table(
    "shop",
    metadata,
    merchant_column(),
    id_column("id"),
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
    merchant_column(),
    id_column("id"),
    # Who has no address signs in by a PIN on one of the shop's devices.
    Column("email", String(320)),
    Column("name", Text, nullable=False, server_default=""),
    Column("role", String(10), nullable=False),
    Column("pin_mac", String(64)),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    at_column("locked_until", null=True),
    at_column("created_at"),
    at_column("left_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "email"),
    UniqueConstraint("merchant_id", "pin_mac"),
    Index("ix_staff_email", "email"),
)

device = Table(
    "device",
    metadata,
    merchant_column(),
    id_column("id"),
    Column("name", Text, nullable=False),
    id_column("shop_id"),
    Column("link_hash", String(64), unique=True),
    at_column("link_until", null=True),
    Column("token_hash", String(64), unique=True),
    id_column("made_by", null=True),
    at_column("made_at"),
    at_column("set_up_at", null=True),
    at_column("seen_at", null=True),
    at_column("revoked_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
)

# Wrong PINs, by where they were typed: a device, a customer's phone, a merchant's all.
pin_lock = Table(
    "pin_lock",
    metadata,
    merchant_column(),
    Column("place", String(80), nullable=False),
    Column("failures", Integer, nullable=False),
    at_column("failed_at"),
    at_column("locked_until", null=True),
    PrimaryKeyConstraint("merchant_id", "place"),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    merchant_column(),
    id_column("staff_id"),
    Column("csrf", String(64), nullable=False),
    id_column("shop_id", null=True),
    id_column("device_id", null=True),
    Column("language", String(2), nullable=False),
    Column("kind", String(8), nullable=False),
    at_column("started_at"),
    at_column("seen_at"),
    at_column("ends_at"),
    Index("ix_session_merchant_id_staff_id", "merchant_id", "staff_id"),
    Index("ix_session_merchant_id_device_id", "merchant_id", "device_id"),
)

api_key = Table(
    "api_key",
    metadata,
    merchant_column(),
    id_column("id"),
    Column("name", String(64), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    at_column("created_at"),
    at_column("revoked_at", null=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "name"),
)

program = Table(
    "program",
    metadata,
    merchant_column(),
    id_column("id"),
    Column("key", String(32), nullable=False),
    Column("state", String(10), nullable=False),
    Column("version", Integer, nullable=False),
    Column("draft", JSON),
    Column("position", Integer, nullable=False, server_default="0"),
    at_column("created_at"),
    PrimaryKeyConstraint("merchant_id", "id"),
    UniqueConstraint("merchant_id", "key"),
    Index("ix_program_id", "id"),
)

program_version = Table(
    "program_version",
    metadata,
    merchant_column(),
    id_column("program_id"),
    Column("version", Integer, nullable=False),
    Column("design", JSON, nullable=False),
    at_column("published_at"),
    id_column("published_by", null=True),
    Column("moved_cards", Boolean, nullable=False, server_default=true()),
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
    merchant_column(),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    at_column("created_at"),
    PrimaryKeyConstraint("merchant_id", "digest"),
)
