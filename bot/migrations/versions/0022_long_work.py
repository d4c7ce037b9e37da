"""Long work that staff ask for, and readings that were estimated."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, and what kind of reading it is."""
    op.add_column(
        "meter_reading",
        sa.Column(
            "is_estimated",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="nobody saw it: worked out from earlier ones (估抄)",
        ),
    )
    op.create_table(
        "long_work",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column(
            "key", sa.Text(), nullable=False, comment="what only one piece of work does at a time"
        ),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("outcome", JSONB(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "tries",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="how often it was begun",
        ),
        sa.Column(
            "done", sa.BigInteger(), server_default="0", nullable=False, comment="steps of total"
        ),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "file_sealed", sa.LargeBinary(), nullable=True, comment="uploaded workbook, encrypted"
        ),
        sa.Column(
            "report_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="what is wrong with it, encrypted: it quotes cells",
        ),
        sa.CheckConstraint(
            "done >= 0 AND total >= 0 AND tries >= 0", name=op.f("ck_long_work_counts")
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'failed')) = (ended_at IS NOT NULL)",
            name=op.f("ck_long_work_ended_has_time"),
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_long_work_asked_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_long_work_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_long_work")),
        comment="Long work staff asked for (后台任务)",
    )
    op.create_index(
        "uq_long_work_open",
        "long_work",
        ["community_id", "key"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_long_work_kind", "long_work", ["community_id", "kind", "id"])
