"""Ask for the first open day in one round trip: every payment that comes asks for it."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Volatile, so that the second statement sees what was closed while the first one waited.
FIRST_OPEN_DAY = """
    CREATE FUNCTION first_open_day(wanted_community bigint, wanted date) RETURNS date
    LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        PERFORM 1 FROM community WHERE id = wanted_community FOR KEY SHARE;
        RETURN (
            SELECT greatest(wanted, (to_date(max(period), 'YYYY-MM') + interval '1 month')::date)
            FROM period_close WHERE community_id = wanted_community
        );
    END $$
"""


def upgrade() -> None:
    """Add the function."""
    op.execute(FIRST_OPEN_DAY)
