"""Claims and ends of bindings, codes owners ask for, and the log of who saw what."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    _widen_bindings()
    _create_sighting()


def _widen_bindings() -> None:
    op.add_column(
        "binding",
        sa.Column(
            "end_reason",
            sa.Enum(
                "self",
                "owner",
                "staff",
                "moved_out",
                name="endreason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="null: before it was written down",
        ),
    )
    op.add_column(
        "binding",
        sa.Column(
            "claim_sealed",
            sa.Text(),
            nullable=True,
            comment="who the follower said he is, encrypted; only until staff decided",
        ),
    )
    op.add_column(
        "binding",
        sa.Column(
            "claim_fits",
            sa.Boolean(),
            nullable=True,
            comment="somebody known at the home has that name and number; null: he named none",
        ),
    )
    op.create_check_constraint(
        op.f("ck_binding_claim_until_decided"),
        "binding",
        "claim_sealed IS NULL OR state = 'requested'",
    )
    op.create_check_constraint(
        op.f("ck_binding_reason_of_end"), "binding", "end_reason IS NULL OR state = 'ended'"
    )
    op.add_column(
        "binding_code",
        sa.Column(
            "issued_by",
            sa.BigInteger(),
            nullable=True,
            comment="the owner who asked for it; null: staff did",
        ),
    )
    op.create_foreign_key(
        op.f("fk_binding_code_issued_by"), "binding_code", "follower", ["issued_by"], ["id"]
    )
    op.create_table_comment(
        "binding_attempt",
        "Tries to be let in to a home, for lock-out and alerts",
        existing_comment="Wrong binding codes, for lock-out and alerts",
    )


def _create_sighting() -> None:
    op.create_table(
        "sighting",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "what",
            sa.Enum(
                "bills",
                "history",
                "balance",
                "fapiao",
                "total",
                name="sight",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("seen_on", sa.Date(), nullable=False, comment="business date"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the first time on that day",
        ),
        sa.CheckConstraint(
            "(follower_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_sighting_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_sighting_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_sighting_follower_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sighting_staff_id")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_sighting")),
        comment="Who saw what of a home, once a day (查阅记录)",
    )
    op.create_index(
        "uq_sighting_once_a_day",
        "sighting",
        ["community_id", "unit_id", "seen_on", "what", "follower_id", "staff_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
