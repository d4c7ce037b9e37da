"""Tickets, what was said about them, sentences to learn from, and the hours of the service desk."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and settings."""
    _add_service_hours()
    _create_ticket()
    _create_ticket_sentence()
    _create_heard()


def _add_service_hours() -> None:
    op.add_column(
        "community",
        sa.Column(
            "service_from",
            sa.Time(),
            server_default="08:30:00",
            nullable=False,
            comment="the service desk opens, Beijing time",
        ),
    )
    op.add_column(
        "community",
        sa.Column(
            "service_to",
            sa.Time(),
            server_default="17:30:00",
            nullable=False,
            comment="the service desk closes, Beijing time",
        ),
    )
    op.add_column(
        "community",
        sa.Column(
            "service_weekends",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="service on Saturdays and Sundays too",
        ),
    )
    op.add_column(
        "community",
        sa.Column(
            "has_agents",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="agents sit at WeChat's customer service in these hours",
        ),
    )
    op.create_check_constraint(
        op.f("ck_community_service_hours"), "community", "service_to > service_from"
    )


def _create_ticket() -> None:
    op.create_table(
        "ticket",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("follower_id", sa.BigInteger(), nullable=False, comment="who opened it"),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("bill_line_id", sa.BigInteger(), nullable=True, comment="the disputed line"),
        sa.Column(
            "fee",
            sa.String(length=32),
            nullable=True,
            comment="the fee it is about, if one was named",
        ),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True, comment="the owner is told it"),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(bill_id IS NULL) = (bill_line_id IS NULL)", name=op.f("ck_ticket_line_has_bill")
        ),
        sa.CheckConstraint(
            "bill_line_id IS NULL OR kind = 'dispute'", name=op.f("ck_ticket_line_is_disputed")
        ),
        sa.CheckConstraint(
            "bill_line_id IS NULL OR unit_id IS NOT NULL", name=op.f("ck_ticket_line_has_unit")
        ),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL)"
            " AND (answer IS NULL) = (answered_by IS NULL)"
            " AND (state <> 'answered' OR answer IS NOT NULL)",
            name=op.f("ck_ticket_answered_has_answer"),
        ),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)"
            " AND (closed_at IS NULL) = (closed_by IS NULL)",
            name=op.f("ck_ticket_closed_has_time"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_ticket_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_ticket_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_id"],
            ["bill.community_id", "bill.id"],
            name=op.f("fk_ticket_community_id_bill_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_line_id"],
            ["bill_line.community_id", "bill_line.id"],
            name=op.f("fk_ticket_community_id_bill_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_ticket_follower_id")
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["staff.id"], name=op.f("fk_ticket_answered_by")),
        sa.ForeignKeyConstraint(["closed_by"], ["staff.id"], name=op.f("fk_ticket_closed_by")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket")),
        comment="Tickets (工单): disputes, requests for a person, complaints",
    )
    op.create_index(
        "uq_ticket_line",
        "ticket",
        ["community_id", "bill_line_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open' AND bill_line_id IS NOT NULL"),
    )
    op.create_index("ix_ticket_follower", "ticket", ["follower_id", "opened_at"])


def _create_ticket_sentence() -> None:
    op.create_table(
        "ticket_sentence",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("masked", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["ticket.community_id", "ticket.id"],
            name=op.f("fk_ticket_sentence_community_id_ticket_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_ticket_sentence_follower_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket_sentence")),
        comment="What was said about tickets, encrypted, and masked for lists and notices",
    )
    op.create_index("ix_ticket_sentence_ticket", "ticket_sentence", ["community_id", "ticket_id"])


def _create_heard() -> None:
    op.create_table(
        "heard",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("masked", sa.Text(), nullable=False),
        sa.Column("guessed", sa.Text(), nullable=False, comment="intent that was understood"),
        sa.Column("confidence", sa.Numeric(precision=4, scale=3), nullable=False, comment="0 to 1"),
        sa.Column(
            "slots",
            JSONB(),
            nullable=False,
            comment="what else was understood, without the room",
        ),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("answered", sa.Text(), nullable=False, comment="route that answered"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("label", sa.Text(), nullable=True, comment="intent that was meant"),
        sa.Column("labelled_by", sa.BigInteger(), nullable=True),
        sa.Column("labelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_heard_confidence")),
        sa.CheckConstraint(
            "(label IS NULL) = (labelled_at IS NULL) AND (label IS NULL) = (labelled_by IS NULL)",
            name=op.f("ck_heard_labelled_has_time"),
        ),
        sa.ForeignKeyConstraint(["labelled_by"], ["staff.id"], name=op.f("fk_heard_labelled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heard")),
        comment="Sentences to learn from, masked, of nobody in particular; kept for 90 days",
    )
    op.create_index("ix_heard_at", "heard", ["at"])
