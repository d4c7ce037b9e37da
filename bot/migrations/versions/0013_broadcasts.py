"""What staff send to many."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "broadcast",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False, comment="audiences.Audience as text"),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column(
            "recipients",
            sa.BigInteger(),
            nullable=False,
            comment="followers: counted with the draft, again when confirmed and when sent",
        ),
        sa.Column(
            "needs_second",
            sa.Boolean(),
            nullable=False,
            comment="a second member of staff must approve it",
        ),
        sa.Column("drafted_by", sa.BigInteger(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.BigInteger(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its notices were written",
        ),
        sa.CheckConstraint("recipients >= 0", name=op.f("ck_broadcast_recipients_not_negative")),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> drafted_by", name=op.f("ck_broadcast_two_people")
        ),
        sa.CheckConstraint(
            "NOT needs_second OR state NOT IN ('queued', 'sent') OR approved_by IS NOT NULL",
            name=op.f("ck_broadcast_second_has_approved"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('queued', 'sent') OR queued_at IS NOT NULL",
            name=op.f("ck_broadcast_queued_has_time"),
        ),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_broadcast_sent_has_time")
        ),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancelled_at IS NOT NULL)"
            " AND (cancelled_at IS NULL) = (cancelled_by IS NULL)",
            name=op.f("ck_broadcast_cancelled_has_time"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_broadcast_community_id")
        ),
        sa.ForeignKeyConstraint(["drafted_by"], ["staff.id"], name=op.f("fk_broadcast_drafted_by")),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["staff.id"], name=op.f("fk_broadcast_approved_by")
        ),
        sa.ForeignKeyConstraint(
            ["cancelled_by"], ["staff.id"], name=op.f("fk_broadcast_cancelled_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_broadcast")),
        comment="Broadcasts (群发): from the draft to the sending",
    )
    op.create_index(
        "ix_broadcast_queued",
        "broadcast",
        ["queued_at"],
        postgresql_where=sa.text("state = 'queued'"),
    )
