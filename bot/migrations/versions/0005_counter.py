"""The counter: shifts, payments by hand, fapiao, day closes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from billing.db import MoneyColumn

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GUARDS = [
    # Booked money is history; the one thing that may become of it is that it is taken back, once.
    """
    CREATE OR REPLACE FUNCTION refuse_confirmed_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.amount, NEW.unit_id, NEW.channel, NEW.out_trade_no, NEW.transaction_id, NEW.paid_at)
           IS DISTINCT FROM (OLD.amount, OLD.unit_id, OLD.channel, OLD.out_trade_no,
                             OLD.transaction_id, OLD.paid_at)
           OR NEW.state <> OLD.state AND (OLD.state, NEW.state) <> ('confirmed', 'reversed') THEN
            RAISE EXCEPTION 'payment % is confirmed and cannot be changed', OLD.out_trade_no
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "DROP TRIGGER confirmed_is_final ON payment",
    """
    CREATE TRIGGER confirmed_is_final BEFORE UPDATE ON payment
    FOR EACH ROW WHEN (OLD.state IN ('confirmed', 'reversed'))
    EXECUTE FUNCTION refuse_confirmed_change()
    """,
]


def upgrade() -> None:
    """Add the tables, and let a confirmed payment become a reversed one."""
    for statement in GUARDS:
        op.execute(statement)
    op.create_table(
        "cashier_shift",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("cashier_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "opening_float",
            MoneyColumn(),
            nullable=False,
            comment="cash in the drawer at the start, fen",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "expected", MoneyColumn(), nullable=True, comment="what the books say is in the drawer"
        ),
        sa.Column("counted", MoneyColumn(), nullable=True, comment="what was counted (实点)"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why counted and expected differ"),
        sa.CheckConstraint(
            "counted = expected OR reason <> ''",
            name=op.f("ck_cashier_shift_difference_has_reason"),
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)"
            " AND (closed_at IS NULL) = (counted IS NULL)"
            " AND (closed_at IS NULL) = (expected IS NULL)",
            name=op.f("ck_cashier_shift_closed_is_counted"),
        ),
        sa.CheckConstraint(
            "opening_float >= 0 AND counted >= 0", name=op.f("ck_cashier_shift_cash")
        ),
        sa.ForeignKeyConstraint(
            ["cashier_id"], ["staff.id"], name=op.f("fk_cashier_shift_cashier_id")
        ),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["staff.id"], name=op.f("fk_cashier_shift_closed_by")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_cashier_shift_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_cashier_shift")),
        comment="Shifts of cashiers (班次), one open per cashier and community",
    )
    op.create_index(
        "uq_cashier_shift_open",
        "cashier_shift",
        ["community_id", "cashier_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "day_close",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "after", sa.Date(), nullable=False, comment="the day before the first one covered"
        ),
        sa.Column(
            "last_entry_id",
            sa.BigInteger(),
            nullable=False,
            comment="newest journal entry at the close",
        ),
        sa.Column("closed_by", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "payments",
            sa.BigInteger(),
            nullable=False,
            comment="payments booked, cancelled ones too",
        ),
        sa.Column("amount", MoneyColumn(), nullable=False, comment="their sum, fen"),
        sa.Column(
            "channels",
            JSONB(),
            nullable=False,
            comment="channel -> {payments, fen}: the same by channel",
        ),
        sa.Column(
            "late",
            sa.BigInteger(),
            nullable=False,
            comment="those of them paid on days closed before",
        ),
        sa.Column("late_amount", MoneyColumn(), nullable=False),
        sa.Column(
            "cancelled",
            sa.BigInteger(),
            nullable=False,
            comment="payments taken back at the counter",
        ),
        sa.Column("cancelled_amount", MoneyColumn(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False, comment="refunds paid out"),
        sa.Column("refunded_amount", MoneyColumn(), nullable=False),
        sa.Column(
            "first_receipt", sa.Text(), nullable=True, comment="lowest receipt number of them"
        ),
        sa.Column("last_receipt", sa.Text(), nullable=True),
        sa.CheckConstraint("after < day", name=op.f("ck_day_close_days_ascend")),
        sa.ForeignKeyConstraint(["closed_by"], ["staff.id"], name=op.f("fk_day_close_closed_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_day_close_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "day", name=op.f("pk_day_close")),
        comment="Day closes (日结), append-only",
    )
    op.create_table(
        "fapiao",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False, comment="who asked"),
        sa.Column(
            "title_kind",
            sa.Enum("personal", "company", name="titlekind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("title_sealed", sa.Text(), nullable=False, comment="抬头"),
        sa.Column("tax_number", sa.Text(), nullable=True),
        sa.Column("email_sealed", sa.Text(), nullable=True),
        sa.Column(
            "amount", MoneyColumn(), nullable=False, comment="sum of its payments' parts, fen"
        ),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "issued",
                "rejected",
                "reversed",
                name="fapiaostate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True, comment="发票号码"),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was rejected or reversed",
        ),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("red_number", sa.Text(), nullable=True, comment="of the red fapiao (红字发票)"),
        sa.CheckConstraint(
            "(state = 'reversed') = (red_number IS NOT NULL)",
            name=op.f("ck_fapiao_reversed_has_red_number"),
        ),
        sa.CheckConstraint(
            "(state IN ('issued', 'reversed')) = (issued_at IS NOT NULL)"
            " AND (issued_at IS NULL) = (number IS NULL)"
            " AND (issued_at IS NULL) = (issued_by IS NULL)",
            name=op.f("ck_fapiao_issued_has_number"),
        ),
        sa.CheckConstraint(
            "(state IN ('rejected', 'reversed')) = (ended_at IS NOT NULL)"
            " AND (ended_at IS NULL) = (end_reason IS NULL)"
            " AND (ended_at IS NULL) = (ended_by IS NULL)",
            name=op.f("ck_fapiao_ended_has_reason"),
        ),
        sa.CheckConstraint(
            "(title_kind = 'company') = (tax_number IS NOT NULL)",
            name=op.f("ck_fapiao_companies_have_a_number"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_fapiao_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_fapiao_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(["ended_by"], ["staff.id"], name=op.f("fk_fapiao_ended_by")),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_fapiao_follower_id")
        ),
        sa.ForeignKeyConstraint(["issued_by"], ["staff.id"], name=op.f("fk_fapiao_issued_by")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_fapiao")),
        comment="Fapiao (发票) asked for and issued; personal data encrypted",
    )
    op.create_index("ix_fapiao_follower", "fapiao", ["follower_id", "requested_at"], unique=False)
    op.create_index("ix_fapiao_unit", "fapiao", ["community_id", "unit_id"], unique=False)
    op.create_index(
        "uq_fapiao_number",
        "fapiao",
        ["community_id", "number"],
        unique=True,
        postgresql_where=sa.text("number IS NOT NULL"),
    )
    op.create_table(
        "counter_payment",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shift_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "number", sa.Text(), nullable=False, comment="of the paper, POS print-out or slip"
        ),
        sa.Column("bank", sa.Text(), nullable=True, comment="whose slip it is"),
        sa.Column("payer_name_sealed", sa.Text(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.BigInteger(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(cancelled_at IS NULL) = (cancelled_by IS NULL)"
            " AND (cancelled_at IS NULL) = (cancel_reason IS NULL)",
            name=op.f("ck_counter_payment_cancelled_has_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["cancelled_by"], ["staff.id"], name=op.f("fk_counter_payment_cancelled_by")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_counter_payment_community_id_payment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "shift_id"],
            ["cashier_shift.community_id", "cashier_shift.id"],
            name=op.f("fk_counter_payment_community_id_shift_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "payment_id", name=op.f("pk_counter_payment")),
        comment="Payments taken by hand (柜台收款)",
    )
    op.create_index(
        "ix_counter_payment_shift", "counter_payment", ["community_id", "shift_id"], unique=False
    )
    op.create_table(
        "fapiao_file",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fapiao_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "kind",
            sa.Enum("pdf", "ofd", "png", name="filekind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "fapiao_id"],
            ["fapiao.community_id", "fapiao.id"],
            name=op.f("fk_fapiao_file_community_id_fapiao_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "fapiao_id", name=op.f("pk_fapiao_file")),
        comment="Files of issued fapiao",
    )
    op.create_table(
        "fapiao_payment",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fapiao_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", MoneyColumn(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_fapiao_payment_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "fapiao_id"],
            ["fapiao.community_id", "fapiao.id"],
            name=op.f("fk_fapiao_payment_community_id_fapiao_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_fapiao_payment_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "fapiao_id", "payment_id", name=op.f("pk_fapiao_payment")
        ),
        comment="Which payments a fapiao is for",
    )
    op.create_index(
        "ix_fapiao_payment_payment", "fapiao_payment", ["community_id", "payment_id"], unique=False
    )
    op.add_column(
        "deposit_movement",
        sa.Column(
            "shift_id",
            sa.BigInteger(),
            nullable=True,
            comment="the open shift whose drawer the cash went through; null: none, or no cash",
        ),
    )
    op.create_index(
        "ix_deposit_movement_shift",
        "deposit_movement",
        ["community_id", "shift_id"],
        unique=False,
        postgresql_where=sa.text("shift_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_deposit_movement_community_id_shift_id"),
        "deposit_movement",
        "cashier_shift",
        ["community_id", "shift_id"],
        ["community_id", "id"],
    )
