"""Rotating barcodes, what phones have fetched, certificates that are asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    for name in ("fetched", "nudged"):
        op.add_column(
            "held_pass",
            sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"),
        )
    op.create_table(
        "used_barcode",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("pass_id", sa.String(length=40), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("used_by", sa.String(length=80), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id", "pass_id"],
            ["held_pass.merchant_id", "held_pass.id"],
            name=op.f("fk_used_barcode_merchant_id_pass_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "pass_id", "counter", name=op.f("pk_used_barcode")
        ),
    )
    op.create_index("ix_used_barcode_used_at", "used_barcode", ["used_at"])
    op.create_table(
        "apple_request",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_apple_request")),
    )
