"""How close a bill run comes to the speed at which PostgreSQL can take its rows at all.

The floor is COPY of the very same rows, of every table the run writes, into identical empty
tables — same columns, indexes, checks and foreign keys, none of our triggers — in the same
database.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import IO, Any

import psycopg
from sqlalchemy import select, text

from billing.bill_run import run_bills
from billing.db import Database, connect
from billing.ledger import ensure_accounts
from billing.merchants import MerchantAccount, Provider
from billing.period import Period
from billing.property import Community, SubjectKind
from billing.tariffs import ChargeItem, FeeKind, Tariff
from bot.embedded import scratch
from bot.schema import migrate

PERIOD = Period("2026-11")
ISSUED_ON = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 1, tzinfo=UTC)
WRITTEN = ("bill", "bill_line", "journal_entry", "posting", "fact")
"""Tables a run fills, parents first."""

HOMES = [
    text(statement)
    for statement in (
        "INSERT INTO building (community_id, code, name) VALUES (:c, '1', '1')",
        """
        INSERT INTO subject (community_id, id, kind, code, unit_id, billable_from)
        SELECT :c, n, 'home', '1-' || (100 + n), n, '2020-01-01'
        FROM generate_series(1, :households) n
        """,
        """
        INSERT INTO unit (community_id, id, building_id, room, floor, billable_area_m2)
        SELECT :c, n, (SELECT min(id) FROM building), '1-' || (100 + n), n / 4,
               70 + (n * 37 % 7000) / 100.0
        FROM generate_series(1, :households) n
        """,
        "ANALYZE",
    )
]


def measure(households: int = 2000, items: int = 4) -> dict[str, Any]:
    """Draft and publish one period of a fresh community, then COPY the same rows."""
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = _community(database, households, items)
        started = time.perf_counter()
        summary = run_bills(database, community, PERIOD, today=ISSUED_ON, now=NOW, publish=True)
        seconds = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        database.engine.dispose()
        address = engines.database_url.replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            copy_seconds = _copy_floor(connection)
    return {
        "households": households,
        "lines": summary.created,
        "seconds": round(seconds, 2),
        "copy_seconds": round(copy_seconds, 2),
        "ratio": round(seconds / copy_seconds, 2),
        "lines_per_second": round(summary.created / seconds),
        "peak_rss_mb": round(peak_mb),
    }


def _community(database: Database, households: int, items: int) -> Community:
    with database.transaction() as session:
        merchant = MerchantAccount(
            code="BENCH", provider=Provider.WECHAT_PAY, mchid="1", name="bench"
        )
        session.add(merchant)
        session.flush()
        community = Community(
            code="BENCH",
            name="bench",
            company="bench",
            service_phone="-",
            merchant_id=merchant.id,
            billing_day=1,
            due_day=31,
            due_month_offset=0,
        )
        session.add(community)
        session.flush()
        for number in range(items):
            _item(database, session, community, number)
        ensure_accounts(session, community.id, {f"item{n}": f"item{n}" for n in range(items)})
        session.execute(text("RESET ROLE"))
        for statement in HOMES:
            session.execute(statement, {"c": community.id, "households": households})
    with database.transaction() as session:
        return session.scalars(select(Community)).one()


def _item(database: Database, session: Any, community: Community, number: int) -> None:
    item = ChargeItem(
        community_id=community.id,
        code=f"item{number}",
        name=f"item{number}",
        fee=list(FeeKind)[number % len(FeeKind)],
        subject_kind=SubjectKind.HOME,
        cycle_months=1,
        active_from=date(2020, 1, 1),
    )
    session.add(item)
    session.flush()
    price = (
        {"method": "area", "unit_price": "2.80", "per": "month"}
        if number % 2 == 0
        else {"method": "flat", "unit_price": "6.00", "per": "month"}
    )
    session.add(
        Tariff(
            community_id=community.id,
            item_id=item.id,
            effective_from=date(2020, 1, 1),
            price=price,
            basis_document="-",
            created_at=NOW,
        )
    )


def _copy_floor(connection: "psycopg.Connection[Any]") -> float:
    """Seconds COPY takes for the same rows."""
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
        with connection.cursor().copy(f"COPY public.{table} TO STDOUT") as copy:
            for block in copy:
                file.write(block)
        file.seek(0)
        yield file
