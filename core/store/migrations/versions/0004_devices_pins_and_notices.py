"""Devices and PINs of the till, what is said to customers, and its budget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "device",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.String(length=40), nullable=False),
        sa.Column("link_hash", sa.String(length=64), nullable=True),
        sa.Column("link_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("made_by", sa.String(length=40), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_device")),
        sa.UniqueConstraint("link_hash", name=op.f("uq_device_link_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_device_token_hash")),
    )
    op.create_table(
        "pin_lock",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "place", name=op.f("pk_pin_lock")),
    )
    op.create_table(
        "push_plan",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column(
            "is_allowed", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
        sa.Column("ceiling", sa.Integer(), nullable=True),
        sa.Column("quiet_from", sa.Integer(), server_default="21", nullable=False),
        sa.Column("quiet_to", sa.Integer(), server_default="9", nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quota", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_push_plan")),
    )
    op.create_table(
        "notice",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("card_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("occasion", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("route", sa.String(length=10), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "merchant_id",
            "customer_id",
            "kind",
            "occasion",
            name=op.f("uq_notice_merchant_id_customer_id_kind_occasion"),
        ),
    )
    op.create_index(
        "ix_notice_merchant_id_state", "notice", ["merchant_id", "state", "made_at"]
    )
    op.add_column(
        "merchant",
        sa.Column("phone_pin", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("customer", sa.Column("muted", sa.JSON(), nullable=True))
    op.add_column(
        "line_channel",
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "line_channel",
        sa.Column(
            "holds_replies", sa.Boolean(), server_default=sa.true(), nullable=False
        ),
    )
    op.add_column(
        "session", sa.Column("device_id", sa.String(length=40), nullable=True)
    )
    op.create_index(
        "ix_session_merchant_id_device_id", "session", ["merchant_id", "device_id"]
    )
    with op.batch_alter_table("staff") as staff:
        staff.alter_column("email", existing_type=sa.String(length=320), nullable=True)
        staff.add_column(sa.Column("pin_mac", sa.String(length=64), nullable=True))
        staff.add_column(
            sa.Column("left_at", sa.DateTime(timezone=True), nullable=True)
        )
        staff.create_unique_constraint(
            op.f("uq_staff_merchant_id_pin_mac"), ["merchant_id", "pin_mac"]
        )
