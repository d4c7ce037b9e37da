"""Outside systems: their tokens and calls, what they are told, and the money they receive."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ACCOUNT = """
    INSERT INTO account (community_id, code, name)
    SELECT id, 'assets:external_clearing', '外部系统待清算' FROM community
    ON CONFLICT (community_id, code) DO NOTHING
"""


def upgrade() -> None:
    """Add tables, and the account of money that other systems received."""
    _create_token()
    _create_call()
    _create_webhook()
    _create_delivery()
    op.create_index("ix_bill_period", "bill", ["community_id", "period", "id"])
    op.execute(ACCOUNT)


def _create_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the system, for people"),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False, comment="api_access.ApiScope"),
        sa.Column("community_id", sa.BigInteger(), nullable=True, comment="null: every community"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True, comment="to the minute"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_api_token_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
        comment="Outside systems that may use the API; tokens hashed",
    )


def _create_call() -> None:
    op.create_table(
        "api_call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="path and query, cut"),
        sa.Column("status", sa.BigInteger(), nullable=False, comment="of HTTP, as answered"),
        sa.Column("address", sa.Text(), nullable=False, comment="of the network"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_api_call_community_id")
        ),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"], name=op.f("fk_api_call_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_call")),
        comment="What outside systems asked and did; append-only",
    )
    op.create_index("ix_api_call_token", "api_call", ["token_id", "id"])
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON api_call"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _create_webhook() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the system, for people"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False, comment="signs what is sent"),
        sa.Column("kinds", sa.ARRAY(sa.Text()), nullable=False, comment="facts.FactKind"),
        sa.Column("community_id", sa.BigInteger(), nullable=True, comment="null: every community"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_webhook_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("name", name=op.f("uq_webhook_name")),
        comment="Outside systems that hear of changes; secrets encrypted",
    )


def _create_delivery() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("fact_id", sa.BigInteger(), nullable=False),
        sa.Column("body", JSONB(), nullable=False, comment="what is sent, never changed"),
        sa.Column(
            "state",
            sa.Enum(
                "queued", "sending", "delivered", "given_up",
                name="deliverystate", native_enum=False, length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "attempts",
            sa.BigInteger(),
            nullable=False,
            comment="claims so far; also fences late workers off",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "queued_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="first, or again; tried a day from then",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="not tried before; while sending, when another worker may take over",
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="of the last attempt: a status or a reason",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint(
            "community_id", "webhook_id", "fact_id",
            name=op.f("uq_webhook_delivery_community_id_webhook_id_fact_id"),
        ),
        comment="Changes told to outside systems, at least once each",
    )  # fmt: skip
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["next_attempt_at", "id"],
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_index("ix_webhook_delivery_webhook", "webhook_delivery", ["webhook_id", "id"])
