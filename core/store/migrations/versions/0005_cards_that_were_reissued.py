"""Passes and codes of cards that were replaced by new ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "old_code",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("card_id", sa.String(length=40), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id", "card_id"],
            ["card.merchant_id", "card.id"],
            name=op.f("fk_old_code_merchant_id_card_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("merchant_id", "code", name=op.f("pk_old_code")),
    )
    op.create_index("ix_old_code_code", "old_code", ["code"])
    op.create_index(
        "ix_old_code_merchant_id_card_id", "old_code", ["merchant_id", "card_id"]
    )
    with op.batch_alter_table("held_pass") as held_pass:
        held_pass.add_column(
            sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True)
        )
        held_pass.drop_constraint(
            op.f("uq_held_pass_merchant_id_card_id_issuer"), type_="unique"
        )
    op.create_index(
        "ix_held_pass_current",
        "held_pass",
        ["merchant_id", "card_id", "issuer"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
