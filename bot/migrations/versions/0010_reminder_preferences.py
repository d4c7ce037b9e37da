"""When followers want to be reminded."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "notice_preference",
        sa.Column("follower_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "hour",
            sa.BigInteger(),
            nullable=True,
            comment="of the day in Beijing; null: ours",
        ),
        sa.Column(
            "is_off",
            sa.Boolean(),
            nullable=False,
            comment="no reminders before the due date",
        ),
        sa.Column(
            "paused_until",
            sa.Date(),
            nullable=True,
            comment="first day of reminders again",
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "hour BETWEEN 0 AND 23", name=op.f("ck_notice_preference_hour_of_a_day")
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_notice_preference_follower_id")
        ),
        sa.PrimaryKeyConstraint("follower_id", name=op.f("pk_notice_preference")),
        comment="When followers want to be reminded (提醒设置)",
    )
