"""Notices and messages by how soon they are told."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

URGENCY = """
    CASE WHEN kind IN ('bill_issued', 'due_soon', 'overdue') THEN 'today'
         WHEN kind = 'broadcast' THEN 'bulk' ELSE 'at_once' END
"""


def upgrade() -> None:
    """Add the columns; what waits is found by them."""
    for table, index in (("message", "ix_message_due"), ("notice", "ix_notice_due")):
        op.drop_index(index, table_name=table)
        op.add_column(
            table,
            sa.Column(
                "urgency",
                sa.String(length=32),
                nullable=True,
                comment="catalog.NOTICES, of its kind when written",
            ),
        )
        op.execute(f"UPDATE {table} SET urgency = {URGENCY}")  # noqa: S608  # constant text
        op.alter_column(table, "urgency", nullable=False)
    op.create_index(
        "ix_message_due",
        "message",
        ["urgency", "next_attempt_at", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_notice_due",
        "notice",
        ["urgency", "not_before", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
