"""Staff sign in: credentials, sessions, and the log of what they do."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables, and when somebody left."""
    op.add_column(
        "staff",
        sa.Column(
            "left_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null while working here",
        ),
    )
    _create_credential()
    _create_session()
    _create_audit()


def _create_credential() -> None:
    op.create_table(
        "staff_credential",
        sa.Column("staff_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column(
            "is_temporary", sa.Boolean(), nullable=False, comment="to be changed when he signs in"
        ),
        sa.Column("totp_sealed", sa.Text(), nullable=True, comment="null: no second factor"),
        sa.Column(
            "totp_step",
            sa.BigInteger(),
            nullable=True,
            comment="the 30 seconds of the last code, which is good once",
        ),
        sa.Column(
            "failures",
            sa.BigInteger(),
            nullable=False,
            comment="wrong tries since the last right one",
        ),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_staff_credential_failures")),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_credential_staff_id")
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_credential")),
        comment="Passwords (argon2) and second factors (TOTP, encrypted) of staff",
    )


def _create_session() -> None:
    op.create_table(
        "staff_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="to the minute"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=False, comment="of the network"),
        sa.Column("browser", sa.Text(), nullable=False, comment="as it called itself, cut"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_session_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_session_token_hash")),
        comment="Browsers staff are or were signed in with",
    )
    op.create_index("ix_staff_session_staff", "staff_session", ["staff_id", "seen_at"])


def _create_audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="name of what was done, as in the table of routes",
        ),
        sa.Column("subject", sa.Text(), nullable=False, comment="what it was done to: the path"),
        sa.Column("detail", JSONB(), nullable=False, comment="what was sent, secrets left out"),
        sa.Column("address", sa.Text(), nullable=False, comment="of the network"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_audit_entry_community_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_audit_entry_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        comment="Who did what in the console (操作日志); append-only",
    )
    op.create_index("ix_audit_entry_community", "audit_entry", ["community_id", "id"])
    op.create_index("ix_audit_entry_staff", "audit_entry", ["staff_id", "id"])
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
