"""Years of paid bills, written set-wise: the books a payment callback meets in a large estate."""

from datetime import datetime

from sqlalchemy import text

from benchmarks.town import build_town, clone_history, record_month
from billing.bill_run import run_bills
from billing.db import Database
from billing.period import Period
from billing.property import Community

MONTHS = 24
PAY_HISTORY = [
    text(statement)
    for statement in (
        "SET LOCAL session_replication_role = replica",  # no triggers, no foreign keys
        """
        CREATE TEMPORARY TABLE paid ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY id) AS id, id AS bill_id, unit_id, amount,
               'OLD' || id AS number, :now - make_interval(days => 30) AS at
        FROM bill WHERE community_id = :c AND period < :period
        """,
        """
        INSERT INTO payment (community_id, id, merchant_id, out_trade_no, unit_id, channel, state,
                             amount, is_designated, transaction_id, prepared_at, confirmed_at,
                             paid_at)
        SELECT :c, id, :merchant, number, unit_id, 'wechat_jsapi', 'confirmed', amount, true,
               'T' || number, at, at, at
        FROM paid
        """,
        """
        INSERT INTO provider_order (merchant_id, out_trade_no, community_id, payment_id,
                                    transaction_id, created_at)
        SELECT :merchant, number, :c, id, 'T' || number, at FROM paid
        """,
        """
        INSERT INTO payment_target (community_id, payment_id, bill_id, amount)
        SELECT :c, id, bill_id, amount FROM paid
        """,
        """
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT :c, paid.id, line.id, paid.bill_id, line.amount, paid.at
        FROM paid JOIN bill_line line ON line.community_id = :c AND line.bill_id = paid.bill_id
        WHERE line.amount > 0
        """,
        """
        INSERT INTO receipt (community_id, year, no, payment_id, issued_at)
        SELECT :c, extract(year FROM at), id, id, at FROM paid
        """,
        """
        INSERT INTO journal_entry (community_id, id, kind, idempotency_key, source_id,
                                   effective_on, posted_at, postings, total)
        SELECT :c, 50_000_000_000 + id, 'payment', 'payment:' || number, id, at, at, 2, amount
        FROM paid
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id, debit,
                             credit)
        SELECT :c, 50_000_000_000 + paid.id, side.no, account.id,
               CASE side.no WHEN 2 THEN paid.unit_id END, CASE side.no WHEN 2 THEN paid.bill_id END,
               CASE side.no WHEN 1 THEN paid.amount ELSE 0 END,
               CASE side.no WHEN 2 THEN paid.amount ELSE 0 END
        FROM paid
        CROSS JOIN (VALUES (1, 'assets:wechat_clearing'), (2, 'assets:receivable')) side (no, code)
        JOIN account ON account.community_id = :c AND account.code = side.code
        """,
        "SELECT setval(pg_get_serial_sequence('payment', 'id'), (SELECT max(id) FROM payment))",
        "ANALYZE",
    )
]
"""One payment for every bill before the period."""


def build_paid_years(
    database: Database,
    homes: int,
    period: Period,
    merchant_id: int,
    now: datetime,
    months: int = MONTHS,
    items: int = 2,
) -> Community:
    """A community that billed its items for so many months before the period and was paid all of
    it, and whose homes owe the period's bills.
    """
    community = build_town(database, max(homes, 10), items)
    record_month(database, community, period)
    run_bills(database, community, period, today=period.start, now=now, publish=True)
    clone_history(database, community, period, months)
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        for statement in PAY_HISTORY:
            session.execute(
                statement,
                {
                    "c": community.id,
                    "period": str(period),
                    "merchant": merchant_id,
                    "now": now,
                },
            )
    return community
