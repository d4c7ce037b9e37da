"""Each community's ladder of reminders, public holidays, and notice before direct debits."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables and two columns."""
    op.create_table(
        "community_ladder",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "due_soon",
            sa.ARRAY(sa.Integer()),
            nullable=False,
            comment="days before the due date, the earliest first; 0: on it",
        ),
        sa.Column(
            "overdue", sa.ARRAY(sa.Integer()), nullable=False, comment="days after the due date"
        ),
        sa.Column("is_monthly", sa.Boolean(), nullable=False, comment="then once a month"),
        sa.Column(
            "since", sa.Date(), nullable=False, comment="rungs of earlier days are not climbed"
        ),
        sa.CheckConstraint(
            "NOT is_monthly OR cardinality(overdue) > 0",
            name=op.f("ck_community_ladder_monthly_goes_on"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_community_ladder_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_community_ladder")),
        comment="When a community reminds of bills (催缴阶梯)",
    )
    op.create_table(
        "public_holiday",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_public_holiday")),
        comment="Public holidays (法定节假日), when nobody is reminded",
    )
    _add_notice_of_debits()


def _add_notice_of_debits() -> None:
    op.add_column(
        "direct_debit_mandate",
        sa.Column(
            "notice_days",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="so long before the bank is asked its holder is told",
        ),
    )
    op.create_check_constraint(
        op.f("ck_direct_debit_mandate_notice_days"),
        "direct_debit_mandate",
        "notice_days BETWEEN 0 AND 30",
    )
    op.add_column(
        "direct_debit_batch",
        sa.Column(
            "sent_from",
            sa.Date(),
            nullable=True,
            comment="the bank gets it no earlier: every holder was told in time",
        ),
    )
    op.execute(
        "UPDATE direct_debit_batch SET sent_from = (made_at AT TIME ZONE 'Asia/Shanghai')::date"
    )
    op.alter_column("direct_debit_batch", "sent_from", nullable=False)
