"""What owners thought of payments, disputes and tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rating",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("receipt", "dispute", "ticket", name="ratedkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "subject_id", sa.BigInteger(), nullable=False, comment="the payment, or the ticket"
        ),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "period",
            sa.Text(),
            nullable=True,
            comment="of the bill, the latest of several",
        ),
        sa.Column(
            "item_id", sa.BigInteger(), nullable=True, comment="when it was about one item alone"
        ),
        sa.Column(
            "staff_id",
            sa.BigInteger(),
            nullable=True,
            comment="who took the money, answered or closed; null: nobody",
        ),
        sa.Column(
            "score",
            sa.Enum("good", "fair", "bad", name="score", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("words_sealed", sa.Text(), nullable=True, comment="what he added, encrypted"),
        sa.Column("rated_on", sa.Date(), nullable=False, comment="business date of the first tap"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="of the last tap"),
        sa.CheckConstraint("words_sealed <> ''", name=op.f("ck_rating_words")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_rating_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_rating_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "item_id"],
            ["charge_item.community_id", "charge_item.id"],
            name=op.f("fk_rating_community_id_item_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_rating_follower_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_rating_staff_id")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_rating")),
        sa.UniqueConstraint(
            "community_id",
            "kind",
            "subject_id",
            "follower_id",
            name=op.f("uq_rating_community_id_kind_subject_id_follower_id"),
        ),
        comment="Ratings (满意度评价) of payments, disputes and tickets, one per person",
    )
    op.create_index("ix_rating_day", "rating", ["community_id", "rated_on"])
