"""What a voucher was for, and when it was used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("voucher", sa.Column("reward_at", sa.Integer(), nullable=True))
    op.add_column(
        "voucher", sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "voucher", sa.Column("redemption_id", sa.String(length=40), nullable=True)
    )
