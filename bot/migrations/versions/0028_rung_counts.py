"""What came of each rung of the ladder, counted at night."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rung_count",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="of the rung, e.g. T+7"),
        sa.Column("day", sa.Date(), nullable=False, comment="on which its bills stood on it"),
        sa.Column("told", sa.BigInteger(), nullable=False, comment="bills somebody was told of"),
        sa.Column(
            "told_paid",
            sa.BigInteger(),
            nullable=False,
            comment="of these, paid on that day or the next",
        ),
        sa.Column("untold", sa.BigInteger(), nullable=False),
        sa.Column("untold_paid", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "run_id", "chunk_no"],
            ["bill_run_chunk.community_id", "bill_run_chunk.run_id", "bill_run_chunk.no"],
            name=op.f("fk_rung_count_community_id_run_id_chunk_no"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "run_id", "chunk_no", "code", name=op.f("pk_rung_count")
        ),
        comment="Which rungs made people pay, by chunk (催缴阶梯效果)",
    )
