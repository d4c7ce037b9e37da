"""How fast a day of a merchant account is compared with its statement, and in how much memory.

The floor is COPY of the statement's very same rows into the same table, from a file, in the same
run. Comparing reads the rows from the channel, spools them, copies them in, joins them against the
payments of three days and writes the differences down.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, cast

from cryptography.fernet import Fernet
from redis import Redis
from sqlalchemy import select, text

from benchmarks.town import build_town
from billing.channels.base import Channel, StatementRow
from billing.db import Database, connect
from billing.differences import load_statement
from billing.merchants import MerchantAccount, Provider
from billing.money import Money
from billing.privacy import Vault
from billing.reconciliation import spool
from bot.embedded import scratch
from bot.schema import migrate
from handlers.reconciling import reconcile_merchant
from handlers.services import Services
from notify.links import Links
from notify.wechat import WeChat
from notify.wording import text_environment

DAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
MORNING_AFTER = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
MERCHANT = "BENCH"
"""Of the town."""

NOWHERE = "http://127.0.0.1:1"
EACH = 1000
"""Of so many rows one is of an order that is not ours, one of another amount, one is not there."""

PAY = [
    text(statement)
    for statement in (
        "SET LOCAL session_replication_role = replica",  # no triggers, no foreign keys
        """
        CREATE TEMPORARY TABLE paid ON COMMIT DROP AS
        SELECT id, 'MZ' || lpad(CAST(id AS text), 26, '0') AS number, 1000 + id % 90000 AS amount,
               :noon + make_interval(days => CAST(id % 3 AS integer) - 2) AS at,
               (SELECT min(id) FROM unit) + id % 100 AS unit_id
        FROM generate_series(1, :rows * 3) AS id
        """,
        """
        INSERT INTO payment (community_id, id, merchant_id, out_trade_no, unit_id, channel, state,
                             amount, transaction_id, prepared_at, confirmed_at, paid_at)
        SELECT :c, id, :merchant, number, unit_id, 'wechat_jsapi', 'confirmed', amount,
               'T' || number, at, at, at
        FROM paid
        """,
        """
        INSERT INTO provider_order (merchant_id, out_trade_no, community_id, payment_id,
                                    transaction_id, created_at)
        SELECT :merchant, number, :c, id, 'T' || number, at FROM paid
        """,
        "ANALYZE",
    )
]


class DayStatement:
    """A provider that only states the day: every third payment, but for the odd ones."""

    provider = Provider.WECHAT_PAY
    mchid = "1900000001"
    ways: frozenset[Any] = frozenset()

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def fetch_statement(self, day: date) -> Iterator[StatementRow]:
        """Row by row, as a channel reads them."""
        for at in range(2, self._rows * 3 + 1, 3):
            odd = (at // 3) % EACH
            if odd == 1:
                continue
            number = f"{'XX' if odd == 0 else 'MZ'}{at:026d}"
            fen = 1000 + at % 90000 + (odd == 2)
            yield StatementRow(
                out_trade_no=number,
                transaction_id=f"T{number}",
                amount=Money(fen),
                at=NOON,
                fee=Money(6),
            )

    def fetch_funds(self, day: date) -> None:
        """Not measured."""


def measure(rows: int = 10_000) -> dict[str, Any]:
    """Compare a day of so many payments, twice: the second time must find nothing new."""
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        merchant = _pay(database, rows)
        channel = DayStatement(rows)
        services = _services(database, channel)
        started = time.perf_counter()
        first = reconcile_merchant(services, merchant, DAY)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = _count(database)
        started = time.perf_counter()
        reconcile_merchant(services, merchant, DAY)
        again = time.perf_counter() - started
        if first.totals is None or _count(database) != found:
            raise AssertionError(f"the second comparison found {_count(database) - found} more")
        floor = _floor(database, channel)
        database.engine.dispose()
    return {
        "rows": first.totals.rows,
        "matched": first.totals.matched,
        "discrepancies": found,
        "seconds": round(seconds, 2),
        "again_seconds": round(again, 2),
        "copy_seconds": round(floor, 2),
        "ratio": round(seconds / floor, 2),
        "rows_per_second": round(first.totals.rows / seconds),
        "peak_rss_mb": round(peak / 1024),
    }


def _pay(database: Database, rows: int) -> MerchantAccount:
    community = build_town(database, 100, items=1)  # and its merchant account
    with database.transaction() as session:
        merchant = session.scalars(select(MerchantAccount)).one()
        session.execute(text("RESET ROLE"))
        for statement in PAY:
            session.execute(
                statement,
                {"c": community.id, "merchant": merchant.id, "rows": rows, "noon": NOON},
            )
    return merchant


def _services(database: Database, channel: DayStatement) -> Services:
    redis = Redis()  # never connected
    return Services(
        database=database,
        redis=redis,
        wechat=WeChat(
            app_id="wx",
            app_secret="s" * 16,
            api_base=NOWHERE,
            oauth_base=NOWHERE,
            qr_base=NOWHERE,
            redis=redis,
        ),
        vault=Vault([Fernet.generate_key().decode()], "benchmark-only-hash-key-of-32-characters"),
        channels={MERCHANT: cast(Channel, channel)},
        links=Links(NOWHERE, "k" * 32),
        text=text_environment(),
        clock=lambda: MORNING_AFTER,
        base_url=NOWHERE,
    )


def _count(database: Database) -> int:
    with database.transaction() as session:
        return int(session.execute(text("SELECT count(*) FROM discrepancy")).scalar_one())


def _floor(database: Database, channel: DayStatement) -> float:
    """Seconds COPY takes for the spooled rows."""
    with tempfile.TemporaryFile() as file:
        spool(channel.fetch_statement(DAY), file)
        started = time.perf_counter()
        with database.transaction() as session:
            load_statement(session, file)
        return time.perf_counter() - started
