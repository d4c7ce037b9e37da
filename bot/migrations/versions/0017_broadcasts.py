"""Tags of homes; broadcasts that are scheduled, throttled and stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, the times and speeds of broadcasts, and one more of their states."""
    op.create_table(
        "home_tag",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unit_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("added_by", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["added_by"], ["staff.id"], name=op.f("fk_home_tag_added_by")),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_home_tag_community_id_unit_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "unit_id", "tag", name=op.f("pk_home_tag")),
        comment="Words of the staff for homes (标签); owners do not see them",
    )
    op.create_index("ix_home_tag_tag", "home_tag", ["community_id", "tag"])
    op.add_column(
        "community",
        sa.Column(
            "broadcasts_per_minute",
            sa.BigInteger(),
            nullable=True,
            comment="messages of a broadcast, unless it says otherwise; null: as fast as it goes",
        ),
    )
    op.create_check_constraint(
        op.f("ck_community_broadcasts_per_minute"), "community", "broadcasts_per_minute > 0"
    )
    op.add_column(
        "broadcast",
        sa.Column(
            "send_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="not before; null: a minute after it was confirmed",
        ),
    )
    op.add_column(
        "broadcast",
        sa.Column(
            "per_minute",
            sa.BigInteger(),
            nullable=True,
            comment="messages; null: as its community has it when it leaves",
        ),
    )
    op.create_check_constraint(op.f("ck_broadcast_per_minute"), "broadcast", "per_minute > 0")
    _allow_stopping()
    op.create_index(
        "ix_notice_broadcast",
        "notice",
        ["community_id", "ref_id"],
        postgresql_where=sa.text("kind = 'broadcast'"),
    )


def _allow_stopping() -> None:
    for name in ("second_has_approved", "sent_has_time", "cancelled_has_time"):
        op.drop_constraint(op.f(f"ck_broadcast_{name}"), "broadcast", type_="check")
    for name, condition in (
        (
            "second_has_approved",
            "NOT needs_second OR state NOT IN ('queued', 'sent', 'stopped')"
            " OR approved_by IS NOT NULL",
        ),
        ("sent_has_time", "(state IN ('sent', 'stopped')) = (sent_at IS NOT NULL)"),
        (
            "cancelled_has_time",
            "(state IN ('cancelled', 'stopped')) = (cancelled_at IS NOT NULL)"
            " AND (cancelled_at IS NULL) = (cancelled_by IS NULL)",
        ),
    ):
        op.create_check_constraint(op.f(f"ck_broadcast_{name}"), "broadcast", condition)
