"""How long the reminder walk takes over a large estate's open bills, all of them on a rung."""

import resource
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from benchmarks.notify import PERIOD
from benchmarks.town import bind_owners, build_town, clone_history
from billing.bill_run import run_bills
from billing.bill_run_tables import BillRunChunk
from billing.db import Database, connect
from bot.embedded import scratch
from bot.schema import migrate
from notify.remind import remind

MONTHS = 9
"""Open beside the current one."""


def measure(bills: int = 20_000) -> dict[str, Any]:
    """Walk over so many open bills, ten to a home, each home with a bound owner; then again, which
    must write nothing.
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
            due_on = session.scalars(select(BillRunChunk.due_on)).first()
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
