"""How close a bill run comes to the speed at which PostgreSQL can take its rows at all.

The floor is COPY of the very same rows, of every table the run writes, into identical empty
tables — same columns, indexes, checks and foreign keys, none of our triggers — in the same
database, in the same minute.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

import psycopg

from benchmarks.reader import Reader
from benchmarks.town import build_town, clone_history, record_month
from billing.bill_run import RunSummary, run_bills
from billing.db import Database, connect
from billing.period import Period
from billing.property import Community
from bot.embedded import scratch
from bot.schema import migrate

PERIOD = Period("2026-11")
WRITTEN = ("bill", "bill_line", "journal_entry", "posting", "fact", "collection_move", "owed_move")
"""Tables a run fills, parents first."""
_BILLS = f"SELECT * FROM public.bill WHERE period = '{PERIOD}'"
_ENTRIES = f"SELECT * FROM public.journal_entry WHERE effective_on = '{PERIOD.start}'"
ROWS = {
    "bill": _BILLS,
    "bill_line": f"SELECT l.* FROM public.bill_line l JOIN ({_BILLS}) b ON b.id = l.bill_id"
    " ORDER BY l.id",
    "journal_entry": f"{_ENTRIES} ORDER BY id",
    "posting": f"SELECT p.* FROM public.posting p JOIN ({_ENTRIES}) e ON e.id = p.entry_id"
    " ORDER BY p.entry_id, p.no",
    "fact": f"SELECT f.* FROM public.fact f JOIN ({_BILLS}) b ON b.id = f.ref_id ORDER BY f.id",
    "collection_move": f"SELECT * FROM public.collection_move WHERE period = '{PERIOD}'",
    "owed_move": f"SELECT o.* FROM public.owed_move o JOIN ({_BILLS}) b ON b.id = o.bill_id",
}
"""The rows of the measured period, in the order in which they were written."""


def measure(households: int = 2000, items: int = 4, history: int = 0) -> dict[str, Any]:
    """Draft and publish one period of a fresh community, then COPY the same rows.

    Then the same period again, which finds everything existing; then the next period while another
    process reads the bills of random homes.

    Args:
        history: months of bills that are there already.
    """
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = build_town(database, households, items)
        if history:
            _run(database, community, PERIOD.previous())
            clone_history(database, community, PERIOD.previous(), history - 1)
        summary, seconds = _run(database, community, PERIOD)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        copy_seconds = _copy_floor(engines.database_url)
        again, again_seconds = _run(database, community, PERIOD)
        if again.created or again.existing != summary.created:
            raise AssertionError(f"the rerun created {again.created}")
        with Reader(engines.database_url, community.id) as reader:
            reader.rest(2)
            idle = reader.p99_ms()
            _run(database, community, PERIOD.next())
            busy = reader.p99_ms()
        database.engine.dispose()
    return {
        "households": households,
        "lines": summary.created,
        "seconds": round(seconds, 2),
        "copy_seconds": round(copy_seconds, 2),
        "ratio": round(seconds / copy_seconds, 2),
        "lines_per_second": round(summary.created / seconds),
        "peak_rss_mb": round(peak_mb),
        "history_months": history,
        "rerun_ratio": round(again_seconds / seconds, 2),
        "reader_p99_ms": {"idle": idle, "during_a_run": busy},
    }


def _run(database: Database, community: Community, period: Period) -> tuple[RunSummary, float]:
    record_month(database, community, period)
    now = datetime.combine(period.start, datetime.min.time(), UTC)
    started = time.perf_counter()
    summary = run_bills(database, community, period, today=period.start, now=now, publish=True)
    return summary, time.perf_counter() - started


def _copy_floor(url: str) -> float:
    """Seconds COPY takes for the rows of the period."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        return _copy_again(connection)


def _copy_again(connection: "psycopg.Connection[Any]") -> float:
    connection.execute("CREATE SCHEMA floor")
    connection.execute("SET search_path = floor, public")
    for table in WRITTEN:
        connection.execute(f"CREATE TABLE floor.{table} (LIKE public.{table} INCLUDING ALL)")
    for table in WRITTEN:
        keys = connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = %s::regclass",
            (f"public.{table}",),
        ).fetchall()
        for name, definition in keys:
            connection.execute(f"ALTER TABLE floor.{table} ADD CONSTRAINT {name} {definition}")
    seconds = 0.0
    for table in WRITTEN:
        with _rows(connection, table) as rows:
            started = time.perf_counter()
            with connection.cursor().copy(f"COPY floor.{table} FROM STDIN") as copy:
                while block := rows.read(1 << 20):
                    copy.write(block)
            seconds += time.perf_counter() - started
    return seconds


@contextmanager
def _rows(connection: "psycopg.Connection[Any]", table: str) -> Iterator[IO[bytes]]:
    """The rows of a table, as COPY writes them."""
    with tempfile.TemporaryFile() as file:
        with connection.cursor().copy(f"COPY ({ROWS[table]}) TO STDOUT") as copy:
            for block in copy:
                file.write(block)
        file.seek(0)
        yield file
