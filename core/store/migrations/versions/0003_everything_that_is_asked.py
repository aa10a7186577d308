"""Spending, rank-up, linking, claims, redemptions, receipts and outgoing webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "claim",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("card_id", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("refusals", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_id", sa.String(length=40), nullable=True),
        sa.Column("entry_id", sa.String(length=40), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_claim")),
    )
    op.create_index(
        "ix_claim_merchant_id_customer_id",
        "claim",
        ["merchant_id", "customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_claim_open",
        "claim",
        ["merchant_id", "card_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "code_use",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "merchant_id", "code", "customer_id", "day", name=op.f("pk_code_use")
        ),
    )
    op.create_table(
        "hook",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_hook")),
    )
    op.create_table(
        "hook_delivery",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("hook_id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_hook_delivery")),
    )
    op.create_index(
        "ix_hook_delivery_merchant_id_hook_id",
        "hook_delivery",
        ["merchant_id", "hook_id", "id"],
        unique=False,
    )
    op.create_table(
        "link",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("from_customer_id", sa.String(length=40), nullable=False),
        sa.Column("to_customer_id", sa.String(length=40), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_link")),
    )
    op.create_index(
        "ix_link_merchant_id_to_customer_id",
        "link",
        ["merchant_id", "to_customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_link_standing",
        "link",
        ["merchant_id", "from_customer_id"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.create_table(
        "link_code",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "code", name=op.f("pk_link_code")),
    )
    op.create_index(
        "ix_link_code_merchant_id_customer_id",
        "link_code",
        ["merchant_id", "customer_id"],
        unique=False,
    )
    op.create_table(
        "receipt_batch",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.String(length=40), nullable=False),
        sa.Column("stamps", sa.Integer(), nullable=False),
        sa.Column("n_codes", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_receipt_batch")),
    )
    op.create_table(
        "redemption",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("voucher_id", sa.String(length=40), nullable=False),
        sa.Column("card_id", sa.String(length=40), nullable=False),
        sa.Column("shop_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_id", sa.String(length=40), nullable=True),
        sa.Column("entry_id", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_redemption")),
    )
    op.create_index(
        "ix_redemption_waiting",
        "redemption",
        ["merchant_id", "voucher_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.add_column(
        "card", sa.Column("remainder", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "card",
        sa.Column("promise_from", sa.Integer(), server_default="1", nullable=False),
    )
    op.add_column(
        "card", sa.Column("extended_to", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "card", sa.Column("next_card_id", sa.String(length=40), nullable=True)
    )
    op.add_column("card", sa.Column("merged_into", sa.String(length=40), nullable=True))
    op.add_column(
        "card", sa.Column("stop_reason", sa.Text(), server_default="", nullable=False)
    )
    op.create_index(
        "ix_card_ending",
        "card",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("first_stamp_at IS NOT NULL"),
        postgresql_where=sa.text("first_stamp_at IS NOT NULL"),
    )
    op.create_index(
        "ix_card_merged",
        "card",
        ["merchant_id", "merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index(
        "ix_card_next",
        "card",
        ["merchant_id", "next_card_id"],
        unique=False,
        sqlite_where=sa.text("next_card_id IS NOT NULL"),
        postgresql_where=sa.text("next_card_id IS NOT NULL"),
    )
    op.add_column("customer", sa.Column("birthday", sa.String(length=5), nullable=True))
    op.add_column(
        "customer",
        sa.Column("birthday_told_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "customer", sa.Column("referral_code", sa.String(length=8), nullable=True)
    )
    op.add_column(
        "customer", sa.Column("referred_by", sa.String(length=40), nullable=True)
    )
    op.add_column(
        "customer",
        sa.Column("referral_paid_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "customer", sa.Column("paper_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "customer", sa.Column("merged_into", sa.String(length=40), nullable=True)
    )
    op.add_column(
        "customer", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_customer_merchant_id_birthday",
        "customer",
        ["merchant_id", "birthday"],
        unique=False,
    )
    op.create_index(
        "ix_customer_merchant_id_merged_into",
        "customer",
        ["merchant_id", "merged_into"],
        unique=False,
    )
    op.create_index(
        "ix_customer_merchant_id_referral_code",
        "customer",
        ["merchant_id", "referral_code"],
        unique=False,
    )
    op.create_index(
        "ix_customer_referred",
        "customer",
        ["merchant_id", "referred_by"],
        unique=False,
        sqlite_where=sa.text("referred_by IS NOT NULL"),
        postgresql_where=sa.text("referred_by IS NOT NULL"),
    )
    op.add_column(
        "ledger_entry", sa.Column("cause", sa.String(length=40), nullable=True)
    )
    op.add_column("ledger_entry", sa.Column("amount", sa.BigInteger(), nullable=True))
    op.add_column(
        "ledger_entry",
        sa.Column("remainder", sa.Integer(), server_default="0", nullable=False),
    )
    op.create_index(
        "ix_ledger_entry_cause",
        "ledger_entry",
        ["merchant_id", "cause"],
        unique=False,
        sqlite_where=sa.text("cause IS NOT NULL"),
        postgresql_where=sa.text("cause IS NOT NULL"),
    )
    op.add_column(
        "line_channel",
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
    )
    op.add_column("line_channel", sa.Column("setup", sa.JSON(), nullable=True))
    op.add_column("line_channel", sa.Column("menu", sa.JSON(), nullable=True))
    op.add_column(
        "line_channel",
        sa.Column(
            "menu_wanted", sa.String(length=200), server_default="", nullable=False
        ),
    )
    op.add_column(
        "merchant",
        sa.Column("has_hooks", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "program_version",
        sa.Column(
            "moved_cards", sa.Boolean(), server_default=sa.true(), nullable=False
        ),
    )
    op.create_index(
        "ix_refusal_merchant_id_at", "refusal", ["merchant_id", "at"], unique=False
    )
    op.add_column(
        "till_code",
        sa.Column("kind", sa.String(length=8), server_default="single", nullable=False),
    )
    op.add_column(
        "till_code", sa.Column("batch_id", sa.String(length=40), nullable=True)
    )
    op.add_column("till_code", sa.Column("radius_m", sa.Integer(), nullable=True))
    with op.batch_alter_table("till_code") as table:
        table.alter_column(
            "expires_at", existing_type=sa.DateTime(timezone=True), nullable=True
        )
    op.create_index(
        "ix_till_code_open",
        "till_code",
        ["merchant_id", "expires_at"],
        unique=False,
        sqlite_where=sa.text("claimed_at IS NULL"),
        postgresql_where=sa.text("claimed_at IS NULL"),
    )
    op.create_index(
        "ix_till_code_merchant_id_batch_id",
        "till_code",
        ["merchant_id", "batch_id"],
        unique=False,
    )
    op.create_index(
        "ix_voucher_ending",
        "voucher",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'issued'"),
        postgresql_where=sa.text("state = 'issued'"),
    )

    # What an earlier version promised is in `expires_at` already.
    op.execute("UPDATE card SET promise_from = version")
