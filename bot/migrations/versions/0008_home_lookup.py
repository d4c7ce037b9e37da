"""Tries to find somebody else's home, to pay for it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "home_lookup",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "payer_hash",
            sa.Text(),
            nullable=False,
            comment="keyed hash of the follower or the browser",
        ),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column(
            "unit_id",
            sa.BigInteger(),
            nullable=True,
            comment="the home that was found; null: not found",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_home_lookup_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_home_lookup_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_home_lookup")),
        comment="Tries to find a home by room and telephone number, to lock guessers out",
    )
    op.create_index("ix_home_lookup_payer", "home_lookup", ["payer_hash", "at"])
    op.create_index("ix_home_lookup_room", "home_lookup", ["community_id", "room", "at"])
