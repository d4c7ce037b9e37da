"""Demands made by people, their delivery, and templates that staff edit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

GUARDS = [
    """
    CREATE FUNCTION refuse_change_of_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: demands are evidence and only grow',
            TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_evidence()
        """
        for table in ("dunning", "dunning_bill", "letter_service")
    ),
]


def upgrade() -> None:
    """Add five tables, their guards, and an index."""
    _create_dunning()
    _create_dunning_bill()
    _create_letter_service()
    for guard in GUARDS:
        op.execute(guard)
    _create_notice_template()
    _create_notice_route()
    op.create_index(
        "ix_notice_bill",
        "notice",
        ["community_id", "ref_id"],
        postgresql_where=sa.text("kind IN ('bill_issued', 'due_soon', 'overdue')"),
    )


def _create_dunning() -> None:
    op.create_table(
        "dunning",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False, comment="of a letter: the date it bears"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="demanded, fen"),
        sa.Column("year", sa.BigInteger(), nullable=True, comment="letters are numbered by year"),
        sa.Column("no", sa.BigInteger(), nullable=True),
        sa.Column(
            "respond_by", sa.Date(), nullable=True, comment="the reasonable period of a letter"
        ),
        sa.Column(
            "paper_sealed", sa.Text(), nullable=True, comment="the letter as printed, encrypted"
        ),
        sa.Column("note_sealed", sa.Text(), nullable=True, comment="what was said, encrypted"),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_dunning_amount")),
        sa.CheckConstraint("way <> 'message'", name=op.f("ck_dunning_by_people")),
        sa.CheckConstraint(
            "(way = 'letter') = (no IS NOT NULL) AND (way = 'letter') = (year IS NOT NULL)"
            " AND (way = 'letter') = (paper_sealed IS NOT NULL)"
            " AND (way = 'letter') = (respond_by IS NOT NULL)",
            name=op.f("ck_dunning_letter_is_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_dunning_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_dunning_made_by")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_dunning")),
        comment="Demands made by people (催缴): letters, calls, visits; only grows",
    )
    op.create_index(
        "uq_dunning_letter",
        "dunning",
        ["community_id", "year", "no"],
        unique=True,
        postgresql_where=sa.text("way = 'letter'"),
    )
    op.create_index("ix_dunning_unit", "dunning", ["community_id", "unit_id"])


def _create_dunning_bill() -> None:
    op.create_table(
        "dunning_bill",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dunning_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outstanding", sa.BigInteger(), nullable=False, comment="demanded of it, fen"),
        sa.CheckConstraint("outstanding > 0", name=op.f("ck_dunning_bill_outstanding")),
        sa.ForeignKeyConstraint(
            ["community_id", "dunning_id"],
            ["dunning.community_id", "dunning.id"],
            name=op.f("fk_dunning_bill_community_id_dunning_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_id"],
            ["bill.community_id", "bill.id"],
            name=op.f("fk_dunning_bill_community_id_bill_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "dunning_id", "bill_id", name=op.f("pk_dunning_bill")
        ),
        comment="Bills that were demanded, once per demand; only grows",
    )
    op.create_index("ix_dunning_bill_bill", "dunning_bill", ["community_id", "bill_id"])


def _create_letter_service() -> None:
    op.create_table(
        "letter_service",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("dunning_id", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("served_on", sa.Date(), nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=True, comment="of what was posted"),
        sa.Column(
            "note_sealed", sa.Text(), nullable=True, comment="who signed or witnessed, encrypted"
        ),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "way <> 'posted' OR tracking_number IS NOT NULL",
            name=op.f("ck_letter_service_post_has_number"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "dunning_id"],
            ["dunning.community_id", "dunning.id"],
            name=op.f("fk_letter_service_community_id_dunning_id"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["staff.id"], name=op.f("fk_letter_service_recorded_by")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_letter_service")),
        comment="How and when letters were delivered (送达); only grows",
    )
    op.create_index(
        "uq_letter_service",
        "letter_service",
        ["community_id", "dunning_id", "way", "served_on"],
        unique=True,
    )


def _create_notice_template() -> None:
    op.create_table(
        "notice_template",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("transport", sa.String(length=32), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False, comment="of an SMS its code"),
        sa.Column(
            "fields",
            postgresql.JSONB(),
            nullable=False,
            comment="field of the template: our word; empty for an SMS, whose words have names",
        ),
        sa.Column("set_by", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "transport IN ('template', 'subscribe', 'sms')",
            name=op.f("ck_notice_template_has_templates"),
        ),
        sa.ForeignKeyConstraint(["set_by"], ["staff.id"], name=op.f("fk_notice_template_set_by")),
        sa.PrimaryKeyConstraint("kind", "transport", name=op.f("pk_notice_template")),
        comment="Approved templates by kind of notice and transport; wins over the settings",
    )


def _create_notice_route() -> None:
    op.create_table(
        "notice_route",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column(
            "transports", sa.ARRAY(sa.Text()), nullable=False, comment="codes, first to last"
        ),
        sa.Column("set_by", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["staff.id"], name=op.f("fk_notice_route_set_by")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_notice_route")),
        comment="Order of transports by kind of notice; wins over the catalogue",
    )
