"""Whether somebody holds an advisory lock: what is begun and not locked was left by the dead."""

from sqlalchemy import text
from sqlalchemy.orm import Session

HELD = text(
    """
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
          AND classid = :first AND objid = :second AND objsubid = 2
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    """
)


def is_held(session: Session, first: int, second: int) -> bool:
    """Whether a connection to this database holds the lock of these two keys for itself alone."""
    return bool(session.scalar(HELD, {"first": first, "second": second}))
