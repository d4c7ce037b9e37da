"""Refunds, and reconciliation: days of merchant accounts, and the life of discrepancies."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add."""
    op.create_table(
        "reconciliation",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("statement_on", sa.Date(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "done_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was compared with everything the provider has of the day",
        ),
        sa.Column(
            "failure", sa.Text(), nullable=True, comment="why it could not be compared, last time"
        ),
        sa.Column(
            "by_statement",
            sa.Boolean(),
            nullable=False,
            comment="false: single orders were asked about",
        ),
        sa.Column(
            "statement_hash", sa.Text(), nullable=True, comment="SHA-256 of the rows, in order"
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column(
            "provider", sa.BigInteger(), nullable=False, comment="paid, by the provider, fen"
        ),
        sa.Column("booked", sa.BigInteger(), nullable=False, comment="paid, by our books, fen"),
        sa.Column(
            "refunded",
            sa.BigInteger(),
            nullable=False,
            comment="refunds begun, by the provider, fen",
        ),
        sa.Column(
            "booked_refunded",
            sa.BigInteger(),
            nullable=False,
            comment="refunds begun, by our books, fen",
        ),
        sa.Column("fees", sa.BigInteger(), nullable=False, comment="kept by the provider, fen"),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column(
            "healed", sa.BigInteger(), nullable=False, comment="booked by asking, over all tries"
        ),
        sa.Column(
            "not_asked",
            sa.BigInteger(),
            nullable=False,
            comment="orders there was no time to ask about",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant_account.id"], name=op.f("fk_reconciliation_merchant_id")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "statement_on", name=op.f("pk_reconciliation")),
        comment="Days of merchant accounts that were reconciled (对账)",
    )
    op.create_table(
        "refund",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "out_refund_no", sa.Text(), nullable=False, comment="ours; the same in every repetition"
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "release_bills",
            sa.Boolean(),
            nullable=False,
            comment="bills the payment paid may become owed again for it",
        ),
        sa.Column(
            "released",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="what of it was taken back from bills at the approval, fen",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "approved",
                "unknown",
                "processing",
                "abnormal",
                "done",
                "failed",
                "rejected",
                name="refundstage",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("requested_by", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.BigInteger(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "second_approved_by",
            sa.BigInteger(),
            nullable=True,
            comment="above the community's limit a second person approves",
        ),
        sa.Column("second_approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "called_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the provider was first told to refund; from then on it may have",
        ),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the provider was last asked",
        ),
        sa.Column("refund_id", sa.Text(), nullable=True, comment="the provider's number"),
        sa.Column("failure", sa.Text(), nullable=True, comment="why it failed, for staff"),
        sa.Column(
            "done_at", sa.DateTime(timezone=True), nullable=True, comment="when the money went back"
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was done, failed, rejected",
        ),
        sa.Column(
            "paid_out_by",
            sa.BigInteger(),
            nullable=True,
            comment="who gave it back, where no provider does",
        ),
        sa.Column(
            "reference",
            sa.Text(),
            nullable=True,
            comment="of the slip or transfer that paid it out",
        ),
        sa.Column(
            "shift_id",
            sa.BigInteger(),
            nullable=True,
            comment="the cashier's shift it was paid out in",
        ),
        sa.CheckConstraint(
            "(state = 'done') = (done_at IS NOT NULL)", name=op.f("ck_refund_done_has_time")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_amount")),
        sa.CheckConstraint(
            "state IN ('requested', 'rejected') OR approved_by IS NOT NULL",
            name=op.f("ck_refund_approved"),
        ),
        sa.CheckConstraint(
            "approved_by <> requested_by AND second_approved_by <> requested_by"
            " AND second_approved_by <> approved_by",
            name=op.f("ck_refund_different_people"),
        ),
        sa.CheckConstraint("released >= 0 AND released <= amount", name=op.f("ck_refund_released")),
        sa.ForeignKeyConstraint(["approved_by"], ["staff.id"], name=op.f("fk_refund_approved_by")),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_refund_community_id_payment_id"),
        ),
        sa.ForeignKeyConstraint(["paid_out_by"], ["staff.id"], name=op.f("fk_refund_paid_out_by")),
        sa.ForeignKeyConstraint(["rejected_by"], ["staff.id"], name=op.f("fk_refund_rejected_by")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["staff.id"], name=op.f("fk_refund_requested_by")
        ),
        sa.ForeignKeyConstraint(
            ["second_approved_by"], ["staff.id"], name=op.f("fk_refund_second_approved_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_refund")),
        sa.UniqueConstraint(
            "community_id", "out_refund_no", name=op.f("uq_refund_community_id_out_refund_no")
        ),
        comment="Refunds (退款), one per refund number",
    )
    op.create_index(
        "ix_refund_called",
        "refund",
        ["called_at"],
        unique=False,
        postgresql_where=sa.text("called_at IS NOT NULL"),
    )
    op.create_index("ix_refund_payment", "refund", ["community_id", "payment_id"], unique=False)
    op.create_index(
        "ix_refund_unsettled",
        "refund",
        ["approved_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('approved', 'unknown', 'processing', 'abnormal')"),
    )
    op.add_column(
        "community",
        sa.Column(
            "refund_limit",
            sa.BigInteger(),
            server_default="100000",
            nullable=False,
            comment="refunds above it are approved by two people, fen",
        ),
    )
    op.add_column(
        "discrepancy", sa.Column("out_refund_no", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "discrepancy",
        sa.Column(
            "statement_on", sa.Date(), nullable=True, comment="day of the statement that shows it"
        ),
    )
    op.add_column(
        "discrepancy",
        sa.Column("owner_id", sa.BigInteger(), nullable=True, comment="who sees to it"),
    )
    op.add_column(
        "discrepancy",
        sa.Column(
            "closed_by", sa.BigInteger(), nullable=True, comment="null when it closed by itself"
        ),
    )
    op.add_column("discrepancy", sa.Column("close_reason", sa.Text(), nullable=True))
    op.add_column(
        "discrepancy",
        sa.Column(
            "is_healed",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="mended by booking what the provider answered",
        ),
    )
    op.alter_column(
        "discrepancy",
        "transaction_id",
        existing_type=sa.Text(),
        comment="of the provider; of totals: their day",
        existing_nullable=False,
    )
    op.drop_constraint(
        op.f("uq_discrepancy_merchant_id_out_trade_no_kind_transaction_id"),
        "discrepancy",
        type_="unique",
    )
    op.create_index(
        "ix_discrepancy_open",
        "discrepancy",
        ["found_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_discrepancy_statement", "discrepancy", ["merchant_id", "statement_on"], unique=False
    )
    op.create_unique_constraint(
        "uq_discrepancy_once",
        "discrepancy",
        ["merchant_id", "out_trade_no", "out_refund_no", "kind", "transaction_id"],
    )
    op.create_foreign_key(
        op.f("fk_discrepancy_owner_id"), "discrepancy", "staff", ["owner_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_discrepancy_closed_by"), "discrepancy", "staff", ["closed_by"], ["id"]
    )
