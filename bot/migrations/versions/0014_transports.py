"""Consents to subscription notices, opened messages, SMS for the unfollowed."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables, columns and indexes."""
    _create_consents()
    _create_opens()
    op.add_column(
        "follower",
        sa.Column(
            "unreachable_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when no transport reaches him; null: one does, or none was tried",
        ),
    )
    op.add_column(
        "community",
        sa.Column(
            "sms_unfollowed",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="owners who stopped following are told of bills and arrears by SMS",
        ),
    )
    op.alter_column(
        "message",
        "settled_at",
        comment="when the state became final; null for an unknown one that is still asked about",
    )
    _create_indexes()


def _create_consents() -> None:
    op.create_table(
        "subscription_consent",
        sa.Column("follower_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_subscription_consent_remaining")),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_subscription_consent_follower_id")
        ),
        sa.PrimaryKeyConstraint("follower_id", "template_id", name=op.f("pk_subscription_consent")),
        comment="Consents to subscription notices (订阅次数)",
    )


def _create_opens() -> None:
    op.create_table(
        "message_open",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "message_id"],
            ["message.community_id", "message.id"],
            name=op.f("fk_message_open_community_id_message_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "message_id", name=op.f("pk_message_open")),
        comment="Messages whose link was opened (已读), once each",
    )


def _create_indexes() -> None:
    op.create_index(
        "ix_message_unknown",
        "message",
        ["first_sent_at"],
        postgresql_where=sa.text("state = 'unknown' AND settled_at IS NULL"),
    )
    op.create_index(
        "ix_message_subscribed",
        "message",
        ["follower_id"],
        postgresql_where=sa.text(
            "transport = 'subscribe' AND state IN ('sending', 'sent', 'unknown')"
        ),
    )
    op.create_index(
        "ix_message_reminded",
        "message",
        ["follower_id", "created_at"],
        postgresql_where=sa.text("kind IN ('due_soon', 'overdue')"),
    )
