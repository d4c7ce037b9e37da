"""How long each report takes over years of bills of one community, as people ask for it.

Every home has 24 months of bills of four lines; most are paid within the month, some late, some
not at all. Written set-wise with the triggers off, so the roll-ups are made anew before measuring.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.town import build_town, clone_history, record_month, tidy
from billing.bill_run import run_bills
from billing.checks.rollups import ROLLUP_CHECKS
from billing.db import Database, connect, expect_lists
from billing.period import Period
from billing.reports.ageing import age_debts, top_arrears
from billing.reports.growth import months_before, read_curves
from billing.reports.income import conceded, income_by_day
from billing.reports.rolled import Division, cleared, divide, divide_by_community
from billing.reports.rollups import rebuild
from billing.reports.scope import Scope
from bot.embedded import scratch
from bot.schema import migrate

PERIOD = Period("2026-11")
TODAY = PERIOD.start + timedelta(days=22)
MONTHS, ITEMS, ROUNDS = 24, 4, 20
TOP = 20

PAYMENTS = [
    text(statement)
    for statement in (
        "SET LOCAL session_replication_role = replica",
        """
        CREATE TEMPORARY TABLE paid ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY bill.id) AS id, bill.id AS bill_id, bill.unit_id,
               bill.amount, chunk.issued_on + CAST(bill.id * 7919 % 40 AS int) AS paid_on,
               (ARRAY['wechat_jsapi', 'alipay_wap', 'cash', 'pos'])[1 + bill.id % 4] AS channel
        FROM bill JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
        WHERE bill.community_id = :c AND bill.unit_id % 25 <> 0 AND bill.amount > 0
        """,
        "DELETE FROM paid WHERE paid_on > :today",
        """
        INSERT INTO payment (community_id, id, out_trade_no, unit_id, channel, state, amount,
                             is_designated, prepared_at, confirmed_at, paid_at)
        SELECT :c, id, 'P' || id, unit_id, channel, 'confirmed', amount, true, paid_on, paid_on,
               paid_on + time '04:00'
        FROM paid
        """,
        """
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT :c, paid.id, line.id, paid.bill_id, line.amount, paid.paid_on
        FROM paid JOIN bill_line line ON line.community_id = :c AND line.bill_id = paid.bill_id
        WHERE line.amount > 0
        """,
    )
]
"""A payment for nearly every bill."""


def measure(lines: int = 1_000_000) -> dict[str, Any]:
    """Each report twenty times: `{"lines", "p95_ms": {report: ms}}`, after the check that the
    roll-ups equal the raw rows.
    """
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community_id = _write_years(database, max(lines // (MONTHS * ITEMS), 10))
        with database.transaction() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            written = session.execute(text("SELECT count(*) FROM bill_line")).scalar_one()
            wrong = [check.name for check in ROLLUP_CHECKS if check.run(session).violations]
            rolled = session.execute(text("SELECT count(*) FROM collection_move")).scalar_one()
        if wrong:
            raise AssertionError(f"not the sum of the raw rows: {wrong}")
        p95 = {name: _p95_ms(database, report) for name, report in _reports(community_id).items()}
        database.engine.dispose()
    return {"lines": written, "rolled_rows": rolled, "p95_ms": p95}


def _write_years(database: Database, households: int) -> int:
    community = build_town(database, households, ITEMS)
    record_month(database, community, PERIOD)
    now = datetime.combine(PERIOD.start, datetime.min.time(), UTC)
    run_bills(database, community, PERIOD, today=PERIOD.start, now=now, publish=True)
    clone_history(database, community, PERIOD, MONTHS - 1)
    parameters = {"c": community.id, "today": TODAY}
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in PAYMENTS:
            session.execute(statement, parameters)
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("ANALYZE"))
        rebuild(session, community.id)
    tidy(database)
    return community.id


def _reports(community_id: int) -> dict[str, Callable[[Session], object]]:
    month = Scope(community_id, PERIOD, PERIOD)
    ever = Scope(community_id)
    year = PERIOD.start.replace(month=1)
    tomorrow = TODAY + timedelta(days=1)
    return {
        "today's money": lambda s: income_by_day(s, community_id, TODAY, tomorrow),
        "collection of the month by building": lambda s: divide(s, Division.BUILDING, month, TODAY),
        "collection of the month by item": lambda s: divide(s, Division.ITEM, month, TODAY),
        "collection by month": lambda s: divide(s, Division.PERIOD, ever, TODAY),
        "collection by community": lambda s: divide_by_community(
            s, [community_id], PERIOD, PERIOD, TODAY
        ),
        "composition of all fees": lambda s: divide(s, Division.FEE, ever, TODAY),
        "curve and forecast": lambda s: read_curves(
            s, community_id, [PERIOD, *months_before(PERIOD)], TODAY
        ),
        "arrears cleared": lambda s: cleared(s, community_id, PERIOD.start, tomorrow),
        "ageing": lambda s: age_debts(s, community_id, TODAY),
        "top arrears": lambda s: top_arrears(s, community_id, TODAY, TOP),
        "income of a month by day": lambda s: income_by_day(
            s, community_id, PERIOD.start, tomorrow
        ),
        "waivers and refunds of a year": lambda s: conceded(s, community_id, year, tomorrow),
    }


def _p95_ms(database: Database, report: Callable[[Session], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        with database.transaction() as session:
            expect_lists(session)  # as the console does
            begun = time.perf_counter()
            report(session)
            took.append((time.perf_counter() - begun) * 1000)
    return round(quantiles(took, n=20)[-1], 1)
