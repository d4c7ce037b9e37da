"""More ways to pay: merchant accounts by provider, what a payment is meant for, receipts numbered
after the payment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FILL = [
    "UPDATE payment SET channel = 'cash' WHERE channel = 'counter'",
    "UPDATE payment SET paid_at = confirmed_at WHERE confirmed_at IS NOT NULL",
    """
    UPDATE payment SET is_designated = true
    WHERE EXISTS (SELECT FROM payment_target meant
                  WHERE meant.community_id = payment.community_id
                    AND meant.payment_id = payment.id)
    """,
    """
    INSERT INTO community_merchant (community_id, provider, merchant_id)
    SELECT community.id, merchant.provider, merchant.id
    FROM community JOIN merchant_account merchant ON merchant.id = community.merchant_id
    """,
    """
    INSERT INTO account (community_id, code, name)
    SELECT community.id, fresh.code, fresh.name
    FROM community
    CROSS JOIN (VALUES
        ('assets:alipay_clearing', '支付宝待清算'), ('assets:pos_clearing', '刷卡待清算'),
        ('assets:bank', '银行存款'), ('liabilities:refunds', '待退款'),
        ('expenses:cash_differences', '现金长短款')) AS fresh (code, name)
    ON CONFLICT (community_id, code) DO NOTHING
    """,
]


def upgrade() -> None:
    """Add and fill."""
    op.create_unique_constraint(
        op.f("uq_merchant_account_id_provider"), "merchant_account", ["id", "provider"]
    )
    op.create_table(
        "community_merchant",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "provider",
            sa.Enum("wechat_pay", "alipay", name="provider", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_community_merchant_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "provider"],
            ["merchant_account.id", "merchant_account.provider"],
            name=op.f("fk_community_merchant_merchant_id_provider"),
        ),
        sa.PrimaryKeyConstraint("community_id", "provider", name=op.f("pk_community_merchant")),
        comment="Merchant accounts that collect for communities, one per provider",
    )
    op.create_table(
        "receipt_waiting",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_receipt_waiting_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "payment_id", name=op.f("pk_receipt_waiting")),
        comment="Booked payments whose receipt is not numbered yet",
    )
    op.add_column(
        "community",
        sa.Column(
            "late_fee_first",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="money without a word what for pays late fees before what they are for",
        ),
    )
    op.add_column(
        "payment",
        sa.Column(
            "is_designated",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="the payer said what for: the targets, the rest prepaid; else oldest first",
        ),
    )
    op.add_column(
        "payment",
        sa.Column(
            "paid_at", sa.DateTime(timezone=True), nullable=True, comment="when the payer paid"
        ),
    )
    op.alter_column(
        "payment",
        "confirmed_at",
        existing_type=sa.DateTime(timezone=True),
        comment="when we booked it",
        existing_nullable=True,
    )
    op.create_index("ix_payment_merchant", "payment", ["merchant_id", "paid_at"], unique=False)
    for statement in FILL:
        op.execute(statement)
    op.drop_constraint(op.f("fk_community_merchant_id"), "community", type_="foreignkey")
    op.drop_column("community", "merchant_id")
    op.drop_constraint(op.f("ck_payment_confirmed_has_time"), "payment", type_="check")
    op.create_check_constraint(
        op.f("ck_payment_confirmed_has_time"),
        "payment",
        "(state IN ('confirmed', 'reversed')) = (confirmed_at IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_payment_paid_when_confirmed"),
        "payment",
        "(paid_at IS NULL) = (confirmed_at IS NULL)",
    )
