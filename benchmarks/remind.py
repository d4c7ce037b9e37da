"""How long the reminder walk takes over a large estate's open bills, all of them on a rung."""

import resource
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from benchmarks.notify import PERIOD
from benchmarks.town import bind_owners, build_town, clone_history
from billing.bill_run import run_bills
from billing.bill_run_tables import BillRunChunk
from billing.db import Database, connect
from bot.embedded import scratch
from bot.schema import migrate
from notify.remind import remind

KNOW_HABITS = [
    text(statement)
    for statement in (
        """
        INSERT INTO community_timing (community_id, is_on, counted_to, as_of, tries, successes,
                                      weekday_hour, weekend_hour, wordings)
        VALUES (:c, true, :now, CAST(:now AS date), array_fill(0.0, ARRAY[24]),
                array_fill(0.0, ARRAY[24]), 10, 10, '{}')
        """,
        """
        INSERT INTO owner_timing (community_id, follower_id, as_of, tries, successes, sent, reacted,
                                  weekday_hour, weekend_hour, trial_is_weekend, trial_hour,
                                  since_trial)
        SELECT :c, follower_id, CAST(:now AS date), array_fill(1.0, ARRAY[24]),
               array_fill(0.5, ARRAY[24]), array_fill(1, ARRAY[24]), array_fill(1, ARRAY[24]),
               9 + follower_id % 12, 9 + follower_id % 12,
               CASE WHEN follower_id % 6 = 0 THEN follower_id % 12 = 0 END,
               CASE WHEN follower_id % 6 = 0 THEN 13 END, 5
        FROM (SELECT DISTINCT follower_id FROM binding WHERE community_id = :c) bound
        """,
        "ANALYZE",
    )
]
"""Every owner has an hour of his own; every sixth an unlikely one to be tried."""

MONTHS = 9
"""Open beside the current one."""


def measure(bills: int = 20_000) -> dict[str, Any]:
    """Walk over so many open bills, ten to a home, each home with a bound owner who has an hour of
    his own; then again, which must write nothing.
    """
    homes = bills // (MONTHS + 1)
    now = datetime.now(UTC)
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = build_town(database, homes, items=2)
        run_bills(database, community, PERIOD, today=PERIOD.start, now=now, publish=True)
        clone_history(database, community, PERIOD, MONTHS)
        bind_owners(database, community, homes, now)
        with database.transaction() as session:
            for statement in KNOW_HABITS:
                session.execute(statement, {"c": community.id, "now": now})
            due_on = session.scalar(select(func.max(BillRunChunk.due_on)))
        assert due_on is not None
        seconds, written = _walk(database, due_on + timedelta(days=1), now)
        again, repeated = _walk(database, due_on + timedelta(days=1), now)
    if (written, repeated) != (homes * (MONTHS + 1), 0):
        raise RuntimeError(f"{written} reminders, and {repeated} more")
    return {
        "bills": written,
        "seconds": round(seconds, 2),
        "again_seconds": round(again, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _walk(database: Database, today: Any, now: datetime) -> tuple[float, int]:
    begun = time.perf_counter()
    with database.transaction() as session:
        summary = remind(session, today, now)
    return time.perf_counter() - begun, summary.overdue
