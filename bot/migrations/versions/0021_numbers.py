# ruff: noqa: S608  # constant text of this program
"""What reports add up, kept by triggers; alerts that have an owner and an end; income by day."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CHUNK = """
    CREATE FUNCTION roll_up_chunk(wanted_community bigint, wanted_run bigint, wanted_no bigint)
    RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO collection_move (community_id, period, due_on, building_id, item_id, moved_on,
                                     due, paid)
        SELECT wanted_community, bill.period, chunk.due_on, unit.building_id, line.item_id,
               chunk.issued_on, sum(line.amount), 0
        FROM bill_run_chunk chunk
        JOIN bill ON bill.community_id = wanted_community AND bill.run_id = wanted_run
         AND bill.chunk_no = wanted_no
        JOIN unit ON unit.community_id = wanted_community AND unit.id = bill.unit_id
        CROSS JOIN LATERAL (
            SELECT item_id, amount FROM bill_line
            WHERE community_id = wanted_community AND bill_id = bill.id OFFSET 0
        ) line
        WHERE chunk.community_id = wanted_community AND chunk.run_id = wanted_run
          AND chunk.no = wanted_no
          AND NOT EXISTS (SELECT FROM bill_void void
                          WHERE void.community_id = wanted_community AND void.bill_id = bill.id)
        GROUP BY bill.period, chunk.due_on, unit.building_id, line.item_id, chunk.issued_on;
        INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)
        SELECT wanted_community, bill.id, bill.unit_id, chunk.due_on, bill.amount
        FROM bill_run_chunk chunk
        JOIN bill ON bill.community_id = wanted_community AND bill.run_id = wanted_run
         AND bill.chunk_no = wanted_no
        WHERE chunk.community_id = wanted_community AND chunk.run_id = wanted_run
          AND chunk.no = wanted_no AND bill.amount > 0
          AND NOT EXISTS (SELECT FROM bill_void void
                          WHERE void.community_id = wanted_community AND void.bill_id = bill.id);
    END $$
"""

ON_ISSUE = """
    CREATE FUNCTION roll_up_issue() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE issued record;
    BEGIN
        FOR issued IN
            SELECT now_.community_id, now_.run_id, now_.no
            FROM now_rows now_
            JOIN old_rows old_ ON old_.community_id = now_.community_id
             AND old_.run_id = now_.run_id AND old_.no = now_.no
            WHERE old_.state = 'draft' AND now_.state = 'issued'
        LOOP
            PERFORM roll_up_chunk(issued.community_id, issued.run_id, issued.no);
        END LOOP;
        RETURN NULL;
    END $$
"""

OF_BILL = """
        JOIN bill ON bill.community_id = {row}.community_id AND bill.id = {row}.bill_id
        JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
        JOIN unit ON unit.community_id = bill.community_id AND unit.id = bill.unit_id
"""

ON_VOID = f"""
    CREATE FUNCTION roll_up_void() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        WITH gone AS (
            SELECT void.community_id, void.bill_id, bill.unit_id, bill.period, chunk.due_on,
                   unit.building_id,
                   CAST(void.voided_at AT TIME ZONE 'Asia/Shanghai' AS date) AS on_day
            FROM now_rows void {OF_BILL.format(row="void")}
        ),
        taken AS (
            SELECT gone.*, line.item_id, gone.on_day AS moved_on, line.amount
            FROM gone JOIN bill_line line
              ON line.community_id = gone.community_id AND line.bill_id = gone.bill_id
            UNION ALL
            SELECT gone.*, line.item_id, greatest(gone.on_day, change.effective_on), change.amount
            FROM gone
            JOIN adjustment change ON change.community_id = gone.community_id
             AND change.bill_id = gone.bill_id AND change.state = 'approved'
            JOIN bill_line line ON line.community_id = change.community_id
             AND line.id = change.bill_line_id
        ),
        lines AS (
            INSERT INTO collection_move (community_id, period, due_on, building_id, item_id,
                                         moved_on, due, paid)
            SELECT community_id, period, due_on, building_id, item_id, moved_on, -sum(amount), 0
            FROM taken GROUP BY 1, 2, 3, 4, 5, 6
        )
        INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)
        SELECT community_id, bill_id, unit_id, due_on, -sum(amount)
        FROM taken GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END $$
"""


def _on_adjustment(name: str, changes: str) -> str:
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        WITH change AS ({changes}),
        lines AS (
            INSERT INTO collection_move (community_id, period, due_on, building_id, item_id,
                                         moved_on, due, paid)
            SELECT change.community_id, bill.period, chunk.due_on, unit.building_id, line.item_id,
                   change.effective_on, sum(change.amount), 0
            FROM change {OF_BILL.format(row="change")}
            JOIN bill_line line ON line.community_id = change.community_id
             AND line.id = change.bill_line_id
            GROUP BY 1, 2, 3, 4, 5, 6
        )
        INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)
        SELECT change.community_id, change.bill_id, bill.unit_id, chunk.due_on, sum(change.amount)
        FROM change {OF_BILL.format(row="change")}
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END $$
    """


ON_ADJUSTED = _on_adjustment("roll_up_adjusted", "SELECT * FROM now_rows WHERE state = 'approved'")
ON_APPROVED = _on_adjustment(
    "roll_up_approved",
    """
        SELECT now_.* FROM now_rows now_
        JOIN old_rows old_ ON old_.community_id = now_.community_id AND old_.id = now_.id
        WHERE now_.state = 'approved' AND old_.state <> 'approved'
    """,
)

ON_ALLOCATION = f"""
    CREATE FUNCTION roll_up_allocation() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        WITH lines AS (
            INSERT INTO collection_move (community_id, period, due_on, building_id, item_id,
                                         moved_on, due, paid)
            SELECT part.community_id, bill.period, chunk.due_on, unit.building_id, line.item_id,
                   part.effective_on, 0, sum(part.amount)
            FROM now_rows part {OF_BILL.format(row="part")}
            JOIN bill_line line ON line.community_id = part.community_id
             AND line.id = part.bill_line_id
            GROUP BY 1, 2, 3, 4, 5, 6
        )
        INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)
        SELECT part.community_id, part.bill_id, bill.unit_id, chunk.due_on, -sum(part.amount)
        FROM now_rows part {OF_BILL.format(row="part")}
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END $$
"""

NEW_ROWS = "REFERENCING NEW TABLE AS now_rows"
BOTH_ROWS = "REFERENCING OLD TABLE AS old_rows NEW TABLE AS now_rows"
TRIGGERS = (
    ("roll_up", "UPDATE", "bill_run_chunk", BOTH_ROWS, "roll_up_issue"),
    ("roll_up", "INSERT", "bill_void", NEW_ROWS, "roll_up_void"),
    ("roll_up_new", "INSERT", "adjustment", NEW_ROWS, "roll_up_adjusted"),
    ("roll_up_decided", "UPDATE", "adjustment", BOTH_ROWS, "roll_up_approved"),
    ("roll_up", "INSERT", "payment_allocation", NEW_ROWS, "roll_up_allocation"),
)

REBUILD = f"""
    CREATE FUNCTION rebuild_roll_ups(wanted_community bigint) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        -- Whoever has added to them commits first, whoever would waits: nothing is counted twice.
        LOCK TABLE collection_move, owed_move IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM collection_move WHERE community_id = wanted_community;
        DELETE FROM owed_move WHERE community_id = wanted_community;
        PERFORM roll_up_chunk(community_id, run_id, no) FROM bill_run_chunk
        WHERE community_id = wanted_community AND state = 'issued';
        -- A void bill was left out just now, and so is what was paid on it and given back.
        CREATE TEMPORARY TABLE moved ON COMMIT DROP AS
        SELECT part.community_id, part.bill_id, bill.unit_id, bill.period, chunk.due_on,
               unit.building_id, line.item_id, part.on_day, part.due, part.paid
        FROM (
            SELECT community_id, bill_id, bill_line_id, effective_on AS on_day, 0 AS due,
                   amount AS paid
            FROM payment_allocation WHERE community_id = wanted_community
            UNION ALL
            SELECT community_id, bill_id, bill_line_id, effective_on, amount, 0
            FROM adjustment WHERE community_id = wanted_community AND state = 'approved'
        ) part {OF_BILL.format(row="part")}
        JOIN bill_line line ON line.community_id = part.community_id AND line.id = part.bill_line_id
        WHERE NOT EXISTS (SELECT FROM bill_void void
                          WHERE void.community_id = bill.community_id AND void.bill_id = bill.id);
        INSERT INTO collection_move (community_id, period, due_on, building_id, item_id, moved_on,
                                     due, paid)
        SELECT community_id, period, due_on, building_id, item_id, on_day, sum(due), sum(paid)
        FROM moved GROUP BY 1, 2, 3, 4, 5, 6;
        INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)
        SELECT community_id, bill_id, unit_id, due_on, sum(due - paid)
        FROM moved GROUP BY 1, 2, 3, 4;
        DROP TABLE moved;
    END $$
"""


def upgrade() -> None:
    """Create the roll-ups and fill them; alerts get an owner, a severity and an end."""
    _create_moves()
    for function in (CHUNK, ON_ISSUE, ON_VOID, ON_ADJUSTED, ON_APPROVED, ON_ALLOCATION, REBUILD):
        op.execute(function)
    for name, event, table, rows, function in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} {rows}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    op.execute("SELECT rebuild_roll_ups(id) FROM community")
    op.create_index(
        "ix_payment_income",
        "payment",
        ["community_id", "paid_at"],
        postgresql_include=["channel", "amount"],
        postgresql_where=sa.text("state = 'confirmed'"),
    )
    _extend_alerts()


def _create_moves() -> None:
    op.create_table(
        "collection_move",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("is_folded", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["building.community_id", "building.id"],
            name=op.f("fk_collection_move_community_id_building_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "item_id"],
            ["charge_item.community_id", "charge_item.id"],
            name=op.f("fk_collection_move_community_id_item_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_collection_move")),
        comment="Roll-up of bill lines, corrections and allocations by day (收缴汇总)",
    )
    op.create_index("ix_collection_move_period", "collection_move", ["community_id", "period"])
    op.create_table(
        "owed_move",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("is_folded", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_id"],
            ["bill.community_id", "bill.id"],
            name=op.f("fk_owed_move_community_id_bill_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_owed_move_community_id_unit_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_owed_move")),
        comment="Roll-up of what is owed on bills that are not paid (欠费汇总)",
    )
    op.create_index("ix_owed_move_bill", "owed_move", ["community_id", "bill_id"])
    for table in ("collection_move", "owed_move"):
        op.create_index(
            f"ix_{table}_new",
            table,
            ["community_id"],
            postgresql_where=sa.text("NOT is_folded"),
        )


def _extend_alerts() -> None:
    op.add_column(
        "alert", sa.Column("severity", sa.String(length=32), server_default="high", nullable=False)
    )
    op.add_column(
        "alert",
        sa.Column("unit_id", sa.BigInteger(), nullable=True, comment="the home it is about"),
    )
    op.add_column(
        "alert",
        sa.Column("owner_id", sa.BigInteger(), nullable=True, comment="who sees to it"),
    )
    op.add_column(
        "alert",
        sa.Column(
            "snoozed_until", sa.Date(), nullable=True, comment="not shown before, Beijing date"
        ),
    )
    op.add_column("alert", sa.Column("closed_by", sa.BigInteger(), nullable=True))
    op.add_column(
        "alert",
        sa.Column("close_reason", sa.Text(), nullable=True, comment="what came of it"),
    )
    for column in ("owner_id", "closed_by"):
        op.create_foreign_key(op.f(f"fk_alert_{column}"), "alert", "staff", [column], ["id"])
    op.create_foreign_key(
        op.f("fk_alert_community_id_unit_id"),
        "alert",
        "unit",
        ["community_id", "unit_id"],
        ["community_id", "id"],
    )
    op.create_index(
        "ix_alert_standing",
        "alert",
        ["community_id", "id"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )
