"""Bank accounts, statements and their rows; direct debit mandates, batches and orders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "bank_account",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="what staff call it, e.g. icbc"),
        sa.Column(
            "holder", sa.Text(), nullable=False, comment="the company the account is in the name of"
        ),
        sa.Column(
            "bank", sa.Text(), nullable=False, comment="bank and branch, as owners write them"
        ),
        sa.Column("number_sealed", sa.Text(), nullable=False),
        sa.Column(
            "number_hash", sa.Text(), nullable=False, comment="keyed hash, one row per number"
        ),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("added_by", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="no longer shown to owners",
        ),
        sa.ForeignKeyConstraint(["added_by"], ["staff.id"], name=op.f("fk_bank_account_added_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_bank_account_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bank_account")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_bank_account_community_id_code")),
        sa.UniqueConstraint(
            "community_id", "number_hash", name=op.f("uq_bank_account_community_id_number_hash")
        ),
        comment="Bank accounts that owners transfer to (收款账户)",
    )
    op.create_table(
        "bank_statement_mapping",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column(
            "columns",
            JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="date, amount, … → headings",
        ),
        sa.Column("confirmed_by", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_bank_statement_mapping_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["staff.id"], name=op.f("fk_bank_statement_mapping_confirmed_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "bank", name=op.f("pk_bank_statement_mapping")),
        comment="Columns of each bank's statements (对账单列映射)",
    )
    op.create_table(
        "direct_debit_batch",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "number", sa.Text(), nullable=False, comment="TS20261123-1, as in the bank's files"
        ),
        sa.Column("due_by", sa.Date(), nullable=False, comment="bills due on or before this day"),
        sa.Column(
            "state",
            sa.Enum(
                "made",
                "sent",
                "settled",
                "cancelled",
                name="batchstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "skipped",
            JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="reason → homes that were left out",
        ),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_by", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancelled_at IS NOT NULL)",
            name=op.f("ck_direct_debit_batch_cancelled_at"),
        ),
        sa.CheckConstraint(
            "(state IN ('sent', 'settled')) = (sent_at IS NOT NULL)",
            name=op.f("ck_direct_debit_batch_sent_has_time"),
        ),
        sa.ForeignKeyConstraint(
            ["cancelled_by"], ["staff.id"], name=op.f("fk_direct_debit_batch_cancelled_by")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_direct_debit_batch_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["staff.id"], name=op.f("fk_direct_debit_batch_made_by")
        ),
        sa.ForeignKeyConstraint(
            ["sent_by"], ["staff.id"], name=op.f("fk_direct_debit_batch_sent_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_direct_debit_batch")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_direct_debit_batch_community_id_number")
        ),
        comment="Batches of direct debit orders (托收批次)",
    )
    op.create_table(
        "bank_statement",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False, comment="first day of its rows"),
        sa.Column("to_on", sa.Date(), nullable=False, comment="last day of its rows, included"),
        sa.Column(
            "keyed_by", sa.Text(), nullable=False, comment="the columns that tell its rows apart"
        ),
        sa.Column("imported_by", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("from_on <= to_on", name=op.f("ck_bank_statement_dates_ascend")),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["bank_account.community_id", "bank_account.id"],
            name=op.f("fk_bank_statement_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["imported_by"], ["staff.id"], name=op.f("fk_bank_statement_imported_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bank_statement")),
        comment="Imported bank statements (银行对账单)",
    )
    op.create_index(
        "ix_bank_statement_account",
        "bank_statement",
        ["community_id", "account_id", "from_on"],
        unique=False,
    )
    op.create_table(
        "direct_debit_mandate",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("bank", "wechat", name="mandatekind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "contract_code",
            sa.Text(),
            nullable=False,
            comment="number of the paper or of the contract",
        ),
        sa.Column("holder_sealed", sa.Text(), nullable=True),
        sa.Column("account_sealed", sa.Text(), nullable=True),
        sa.Column("account_tail", sa.Text(), nullable=True, comment="last four digits, as shown"),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column(
            "state",
            sa.Enum("active", "ended", name="mandatestate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("signed_by", sa.BigInteger(), nullable=False, comment="who wrote it down"),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'bank') = (account_sealed IS NOT NULL)",
            name=op.f("ck_direct_debit_mandate_bank_has_account"),
        ),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_on IS NOT NULL)",
            name=op.f("ck_direct_debit_mandate_ended_has_day"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_direct_debit_mandate_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["staff.id"], name=op.f("fk_direct_debit_mandate_ended_by")
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"], ["staff.id"], name=op.f("fk_direct_debit_mandate_signed_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_direct_debit_mandate")),
        sa.UniqueConstraint(
            "community_id",
            "contract_code",
            name=op.f("uq_direct_debit_mandate_community_id_contract_code"),
        ),
        comment="Mandates for direct debit (托收协议)",
    )
    op.create_index(
        "uq_direct_debit_mandate_living",
        "direct_debit_mandate",
        ["community_id", "unit_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "bank_row",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="the same row in another file has the same key",
        ),
        sa.Column(
            "value_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the bank says the money came",
        ),
        sa.Column("value_on", sa.Date(), nullable=False, comment="the day of it in Beijing"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="negative: outgoing"),
        sa.Column("serial", sa.Text(), nullable=True, comment="the bank's number of the movement"),
        sa.Column(
            "details_sealed",
            sa.Text(),
            nullable=False,
            comment="payer, his account, remark; sealed JSON",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "matched",
                "underpaid",
                "overpaid",
                "recorded",
                "ambiguous",
                "unknown",
                "ignored",
                "outgoing",
                name="rowstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("unit_id", sa.BigInteger(), nullable=True, comment="the home it was booked to"),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "evidence",
            JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="homes in question, points and why",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why somebody decided so"),
        sa.Column("decided_by", sa.BigInteger(), nullable=True, comment="null: by matching"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'outgoing') = (amount < 0)", name=op.f("ck_bank_row_outgoing_is_negative")
        ),
        sa.CheckConstraint(
            "(state IN ('matched', 'underpaid', 'overpaid', 'recorded'))"
            " = (payment_id IS NOT NULL)",
            name=op.f("ck_bank_row_booked_has_payment"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'outgoing') OR decided_at IS NOT NULL",
            name=op.f("ck_bank_row_decided_has_time"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_bank_row_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["bank_account.community_id", "bank_account.id"],
            name=op.f("fk_bank_row_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_bank_row_community_id_payment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "statement_id"],
            ["bank_statement.community_id", "bank_statement.id"],
            name=op.f("fk_bank_row_community_id_statement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_bank_row_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_bank_row_decided_by")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bank_row")),
        sa.UniqueConstraint(
            "community_id",
            "account_id",
            "key",
            name=op.f("uq_bank_row_community_id_account_id_key"),
        ),
        sa.UniqueConstraint(
            "community_id", "payment_id", name=op.f("uq_bank_row_community_id_payment_id")
        ),
        comment="Rows of bank statements (银行流水)",
    )
    op.create_index("ix_bank_row_day", "bank_row", ["community_id", "value_on"], unique=False)
    op.create_index(
        "ix_bank_row_open",
        "bank_row",
        ["community_id", "value_at", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'ambiguous', 'unknown')"),
    )
    op.create_table(
        "direct_debit_order",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "no", sa.BigInteger(), nullable=False, comment="serial number in the batch, from 1"
        ),
        sa.Column("mandate_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "paid",
                "failed",
                "cancelled",
                name="orderstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why the bank did not take it"),
        sa.Column(
            "result_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when we read the result",
        ),
        sa.CheckConstraint(
            "(state IN ('paid', 'failed')) = (result_at IS NOT NULL)",
            name=op.f("ck_direct_debit_order_result_has_time"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_direct_debit_order_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "batch_id"],
            ["direct_debit_batch.community_id", "direct_debit_batch.id"],
            name=op.f("fk_direct_debit_order_community_id_batch_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "mandate_id"],
            ["direct_debit_mandate.community_id", "direct_debit_mandate.id"],
            name=op.f("fk_direct_debit_order_community_id_mandate_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_direct_debit_order_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "batch_id", "no", name=op.f("pk_direct_debit_order")
        ),
        sa.UniqueConstraint(
            "community_id", "payment_id", name=op.f("uq_direct_debit_order_community_id_payment_id")
        ),
        comment="Orders of direct debit batches (托收明细)",
    )
