"""What failed lately is found among very many messages that did not."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_message_failed",
        "message",
        ["community_id", "id"],
        postgresql_where=sa.text("state = 'failed'"),
    )
