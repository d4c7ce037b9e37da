"""Indexes by which staff find payments, refunds and what a bank brought."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.create_index("ix_payment_confirmed", "payment", ["community_id", "confirmed_at"])
    op.create_index(
        "ix_payment_transaction",
        "payment",
        ["community_id", sa.func.reverse(sa.literal_column("transaction_id")).label("backwards")],
        postgresql_ops={"backwards": "text_pattern_ops"},
        postgresql_where=sa.text("transaction_id IS NOT NULL"),
    )
    op.create_index("ix_counter_payment_number", "counter_payment", ["community_id", "number"])
    op.create_index(
        "ix_refund_waiting",
        "refund",
        ["community_id", "state"],
        postgresql_where=sa.text("state IN ('requested', 'approved', 'abnormal')"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_refund_waiting", "refund")
    op.drop_index("ix_counter_payment_number", "counter_payment")
    op.drop_index("ix_payment_transaction", "payment")
    op.drop_index("ix_payment_confirmed", "payment")
