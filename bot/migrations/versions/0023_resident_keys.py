"""People are found by name and telephone number without any of them being opened."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index. People known before are indexed by `mingzhang home index`, which has keys."""
    op.create_table(
        "resident_key",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "name",
                "phone",
                name="residentkeykind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="keyed hash of a name or a part of it, of a number or its last four digits",
        ),
        sa.Column("resident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "resident_id"],
            ["resident.community_id", "resident.id"],
            name=op.f("fk_resident_key_community_id_resident_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "kind", "fingerprint", "resident_id", name=op.f("pk_resident_key")
        ),
        comment="Blind index of people: found by equality of keyed hashes",
    )
    op.create_index("ix_resident_key_resident", "resident_key", ["community_id", "resident_id"])
    op.create_index("ix_occupancy_resident", "occupancy", ["community_id", "resident_id"])
