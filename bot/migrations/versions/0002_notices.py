"""Notices, messages and their deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivered_message",
        sa.Column("msgid", sa.Text(), nullable=False),
        sa.Column(
            "community_id",
            sa.BigInteger(),
            nullable=True,
            comment="null until our send is recorded",
        ),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True, comment="as reported; null until then"),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("msgid", name=op.f("pk_delivered_message")),
        comment="WeChat's msgid of sent messages, and the reported result",
    )
    op.create_table(
        "message",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "bill_issued",
                "due_soon",
                "overdue",
                "payment_received",
                "binding_added",
                "binding_refused",
                "binding_requested",
                "alert",
                name="noticekind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "transport",
            sa.Enum("template", "service", name="transport", native_enum=False, length=32),
            nullable=False,
            comment="the one in use, or to be tried next",
        ),
        sa.Column("content", JSONB(), nullable=False, comment="render.Content, never changed"),
        sa.Column("client_msg_id", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sending",
                "sent",
                "delivered",
                "failed",
                "unknown",
                "suppressed",
                name="messagestate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "paid",
                "unbound",
                "unfollowed",
                "expired",
                "gone",
                "told_in_chat",
                "superseded",
                "no_transport",
                "refused",
                "gave_up",
                "no_answer",
                "user_block",
                "system_failed",
                "freq_limit",
                "not_delivered",
                name="reason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="not tried before",
        ),
        sa.Column(
            "lease_until", sa.DateTime(timezone=True), nullable=True, comment="set while sending"
        ),
        sa.Column(
            "attempts",
            sa.BigInteger(),
            nullable=False,
            comment="claims so far; also fences late workers off",
        ),
        sa.Column(
            "first_sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it may have arrived; null while it certainly has not",
        ),
        sa.Column(
            "settled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the state became final",
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_message_follower_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_message")),
        sa.UniqueConstraint("client_msg_id", name=op.f("uq_message_client_msg_id")),
        comment="Messages: frozen content, one per follower, kind and moment",
    )
    op.create_index(
        "ix_message_due",
        "message",
        ["next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_message_leased",
        "message",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_table(
        "delivery",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column(
            "transport",
            sa.Enum("template", "service", name="transport", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "accepted",
                "refused",
                "unreachable",
                "no_answer",
                "not_tried",
                name="outcome",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("errcode", sa.BigInteger(), nullable=True),
        sa.Column("errmsg", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "message_id"],
            ["message.community_id", "message.id"],
            name=op.f("fk_delivery_community_id_message_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "message_id", "attempt", name=op.f("pk_delivery")),
        comment="Attempts to send messages; evidence of what was told when",
    )
    op.create_table(
        "notice",
        sa.Column(
            "community_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="0 when it concerns every community",
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "bill_issued",
                "due_soon",
                "overdue",
                "payment_received",
                "binding_added",
                "binding_refused",
                "binding_requested",
                "alert",
                name="noticekind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "fact_key", sa.Text(), nullable=False, comment="bill:17, or bill:17:T+7 for a reminder"
        ),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "ref_id",
            sa.BigInteger(),
            nullable=False,
            comment="bill, payment, binding or alert, by kind",
        ),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued", "merged", "suppressed", name="noticestate", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "paid",
                "unbound",
                "unfollowed",
                "expired",
                "gone",
                "told_in_chat",
                "superseded",
                "no_transport",
                "refused",
                "gave_up",
                "no_answer",
                "user_block",
                "system_failed",
                "freq_limit",
                "not_delivered",
                name="reason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "message_id"],
            ["message.community_id", "message.id"],
            name=op.f("fk_notice_community_id_message_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_notice_follower_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "community_id",
            "follower_id",
            "kind",
            "fact_key",
            name=op.f("uq_notice_community_id_follower_id_kind_fact_key"),
        ),
        comment="What each follower is to be told, once per fact",
    )
    op.create_index(
        "ix_notice_due",
        "notice",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_notice_message",
        "notice",
        ["community_id", "message_id"],
        unique=False,
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
