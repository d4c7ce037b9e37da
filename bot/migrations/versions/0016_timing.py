"""When owners react to messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables, a choice of the followers', and an index."""
    _create_community_timing()
    _create_owner_timing()
    op.add_column(
        "notice_preference",
        sa.Column(
            "by_habit",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="the hour may be learned from what he does",
        ),
    )
    op.create_index(
        "ix_message_sent",
        "message",
        ["community_id", "first_sent_at"],
        postgresql_where=sa.text("kind IN ('bill_issued', 'due_soon', 'overdue')"),
    )


def _tallies() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "as_of",
            sa.Date(),
            nullable=False,
            comment="the day for which the tallies are weighted",
        ),
        sa.Column("tries", sa.ARRAY(sa.Double()), nullable=False, comment="by timing.SLOTS"),
        sa.Column("successes", sa.ARRAY(sa.Double()), nullable=False, comment="by timing.SLOTS"),
    ]


def _create_community_timing() -> None:
    op.create_table(
        "community_timing",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "is_on",
            sa.Boolean(),
            nullable=False,
            comment="reminders come at the hours learned",
        ),
        sa.Column(
            "counted_to",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="messages sent before it are counted",
        ),
        *_tallies(),
        sa.Column(
            "weekday_hour",
            sa.BigInteger(),
            nullable=True,
            comment="for whom nothing else is known",
        ),
        sa.Column("weekend_hour", sa.BigInteger(), nullable=True),
        sa.Column(
            "wordings",
            postgresql.JSONB(),
            nullable=False,
            comment="kind of notice, wording: [tries, successes], weighted as the tallies",
        ),
        sa.CheckConstraint(
            "weekday_hour BETWEEN 0 AND 23", name=op.f("ck_community_timing_weekday_hour")
        ),
        sa.CheckConstraint(
            "weekend_hour BETWEEN 0 AND 23", name=op.f("ck_community_timing_weekend_hour")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_community_timing_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_community_timing")),
        comment="When a community's owners react to messages (提醒时间)",
    )


def _create_owner_timing() -> None:
    op.create_table(
        "owner_timing",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("follower_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_tallies(),
        sa.Column(
            "sent",
            sa.ARRAY(sa.Integer()),
            nullable=False,
            comment="reminders, by timing.SLOTS",
        ),
        sa.Column("reacted", sa.ARRAY(sa.Integer()), nullable=False, comment="to so many of them"),
        sa.Column("weekday_hour", sa.BigInteger(), nullable=True),
        sa.Column("weekend_hour", sa.BigInteger(), nullable=True),
        sa.Column("trial_is_weekend", sa.Boolean(), nullable=True),
        sa.Column(
            "trial_hour",
            sa.BigInteger(),
            nullable=True,
            comment="an unlikely hour, to be tried once",
        ),
        sa.Column("tried_on", sa.Date(), nullable=True, comment="when it was"),
        sa.Column(
            "since_trial",
            sa.BigInteger(),
            nullable=False,
            comment="reminders since an unlikely hour was tried",
        ),
        sa.Column(
            "forgotten_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="messages sent before it are not counted any more",
        ),
        sa.CheckConstraint(
            "weekday_hour BETWEEN 0 AND 23", name=op.f("ck_owner_timing_weekday_hour")
        ),
        sa.CheckConstraint(
            "weekend_hour BETWEEN 0 AND 23", name=op.f("ck_owner_timing_weekend_hour")
        ),
        sa.CheckConstraint("trial_hour BETWEEN 0 AND 23", name=op.f("ck_owner_timing_trial_hour")),
        sa.CheckConstraint(
            "(trial_hour IS NULL) = (trial_is_weekend IS NULL)",
            name=op.f("ck_owner_timing_trial_slot"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_owner_timing_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_owner_timing_follower_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "follower_id", name=op.f("pk_owner_timing")),
        comment="When a follower reacts to messages, and when he is reminded (提醒时间)",
    )
