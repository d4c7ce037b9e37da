"""Self-checks of the books: each is one query that returns what is wrong, and nothing when all
is well.

Run nightly and by `mingzhang check`. Adding a rule is adding a line to ALL_CHECKS. Errors are
data, so one run reports all of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, select, text
from sqlalchemy.orm import Session

from billing.bills import BillLine
from billing.pricing import PricingError, recompute

VIOLATIONS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check looked at and found. `violations` shows the first twenty."""

    name: str
    rows: int
    violations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """`population` counts what is checked; `violations` selects what is wrong."""

    name: str
    population: TextClause
    violations: TextClause


ISSUED_BILL = """
    SELECT bill.* FROM bill
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
"""

SQL_CHECKS = [
    Check(
        "every journal entry balances to its announced total",
        text("SELECT count(*) FROM journal_entry"),
        text(
            """
            SELECT e.community_id, e.id, e.idempotency_key, e.postings, e.total,
                   count(p.no) AS posted, coalesce(sum(p.debit), 0) AS debit,
                   coalesce(sum(p.credit), 0) AS credit
            FROM journal_entry e
            LEFT JOIN posting p ON p.community_id = e.community_id AND p.entry_id = e.id
            GROUP BY e.community_id, e.id
            HAVING count(p.no) <> e.postings OR coalesce(sum(p.debit), 0) <> e.total
                OR coalesce(sum(p.credit), 0) <> e.total
            """
        ),
    ),
    Check(
        "a bill is the sum of its lines",
        text("SELECT count(*) FROM bill"),
        text(
            """
            SELECT b.community_id, b.id, b.amount, coalesce(sum(l.amount), 0) AS lines
            FROM bill b
            LEFT JOIN bill_line l ON l.community_id = b.community_id AND l.bill_id = b.id
            GROUP BY b.community_id, b.id HAVING coalesce(sum(l.amount), 0) <> b.amount
            """
        ),
    ),
    Check(
        "what is outstanding on a bill is what the journal has receivable for it",
        text(f"SELECT count(*) FROM ({ISSUED_BILL}) issued"),  # noqa: S608  # constant text
        text(
            f"""
            SELECT b.community_id, b.id, b.amount,
                   coalesce(a.allocated, 0) AS allocated, coalesce(j.receivable, 0) AS receivable
            FROM ({ISSUED_BILL}) b
            LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS allocated
                       FROM payment_allocation GROUP BY 1, 2) a
                   ON a.community_id = b.community_id AND a.bill_id = b.id
            LEFT JOIN (SELECT p.community_id, p.bill_id, sum(p.debit - p.credit) AS receivable
                       FROM posting p JOIN account c ON c.community_id = p.community_id
                        AND c.id = p.account_id AND c.code = 'assets:receivable'
                       GROUP BY 1, 2) j
                   ON j.community_id = b.community_id AND j.bill_id = b.id
            WHERE b.amount - coalesce(a.allocated, 0) <> coalesce(j.receivable, 0)
            """  # noqa: S608  # constant text
        ),
    ),
    Check(
        "no draft bill is in the journal",
        text("SELECT count(*) FROM bill_run_chunk WHERE state = 'draft'"),
        text(
            """
            SELECT b.community_id, b.id FROM bill b
            JOIN bill_run_chunk c ON c.community_id = b.community_id AND c.run_id = b.run_id
             AND c.no = b.chunk_no AND c.state = 'draft'
            JOIN journal_entry e ON e.community_id = b.community_id
             AND e.kind = 'bill_issued' AND e.source_id = b.id
            """
        ),
    ),
    Check(
        "no line is paid beyond its amount",
        text("SELECT count(*) FROM payment_allocation"),
        text(
            """
            SELECT l.community_id, l.id, l.amount, sum(a.amount) AS paid
            FROM bill_line l
            JOIN payment_allocation a ON a.community_id = l.community_id AND a.bill_line_id = l.id
            GROUP BY l.community_id, l.id, l.amount HAVING sum(a.amount) > l.amount
            """
        ),
    ),
    Check(
        "a confirmed payment is booked once, in full, and has a receipt; no other payment has",
        text("SELECT count(*) FROM payment"),
        text(
            """
            SELECT p.community_id, p.id, p.state, p.amount, count(DISTINCT e.id) AS entries,
                   count(DISTINCT r.no) AS receipts, coalesce(max(e.total), 0) AS total
            FROM payment p
            LEFT JOIN journal_entry e ON e.community_id = p.community_id
                  AND e.kind = 'payment' AND e.source_id = p.id
            LEFT JOIN receipt r ON r.community_id = p.community_id AND r.payment_id = p.id
            GROUP BY p.community_id, p.id
            HAVING CASE WHEN p.state = 'confirmed'
                   THEN count(DISTINCT e.id) <> 1 OR count(DISTINCT r.no) <> 1
                        OR max(e.total) <> p.amount
                   ELSE count(DISTINCT e.id) <> 0 OR count(DISTINCT r.no) <> 0 END
            """
        ),
    ),
    Check(
        "a payment is what was allocated of it plus what became prepayment",
        text("SELECT count(*) FROM payment WHERE state = 'confirmed'"),
        text(
            """
            SELECT p.community_id, p.id, p.amount, coalesce(a.allocated, 0) AS allocated,
                   coalesce(j.prepaid, 0) AS prepaid
            FROM payment p
            LEFT JOIN (SELECT community_id, payment_id, sum(amount) AS allocated
                       FROM payment_allocation GROUP BY 1, 2) a
                   ON a.community_id = p.community_id AND a.payment_id = p.id
            LEFT JOIN (SELECT e.community_id, e.source_id, sum(s.credit) AS prepaid
                       FROM journal_entry e
                       JOIN posting s ON s.community_id = e.community_id AND s.entry_id = e.id
                       JOIN account c ON c.community_id = s.community_id AND c.id = s.account_id
                        AND c.code = 'liabilities:prepayments'
                       WHERE e.kind = 'payment' GROUP BY 1, 2) j
                   ON j.community_id = p.community_id AND j.source_id = p.id
            WHERE p.state = 'confirmed'
              AND p.amount <> coalesce(a.allocated, 0) + coalesce(j.prepaid, 0)
            """
        ),
    ),
    Check(
        "no home has a negative prepayment",
        text("SELECT count(DISTINCT unit_id) FROM posting"),
        text(
            """
            SELECT p.community_id, p.unit_id, sum(p.credit - p.debit) AS prepaid
            FROM posting p JOIN account c ON c.community_id = p.community_id
             AND c.id = p.account_id AND c.code = 'liabilities:prepayments'
            GROUP BY 1, 2 HAVING sum(p.credit - p.debit) < 0
            """
        ),
    ),
    Check(
        "no subject is billed twice for overlapping days of one item",
        text("SELECT count(*) FROM bill_line"),
        text(
            """
            SELECT * FROM (
                SELECT community_id, id, subject_id, item_id, period_from, period_to,
                       lag(period_to) OVER (PARTITION BY community_id, subject_id, item_id, kind
                                            ORDER BY period_from, period_to) AS charged_until
                FROM bill_line) ordered
            WHERE charged_until > period_from
            """
        ),
    ),
    Check(
        "one fact per issued bill and per confirmed payment",
        text("SELECT count(*) FROM fact"),
        text(
            f"""
            SELECT booked.kind, booked.community_id, booked.id, coalesce(f.facts, 0) AS facts
            FROM (SELECT 'bill_issued' AS kind, community_id, id FROM ({ISSUED_BILL}) b
                  UNION ALL
                  SELECT 'payment_confirmed', community_id, id FROM payment
                  WHERE state = 'confirmed') booked
            LEFT JOIN (SELECT community_id, kind, ref_id, count(*) AS facts FROM fact
                       GROUP BY community_id, kind, ref_id) f
                   ON f.community_id = booked.community_id AND f.kind = booked.kind
                  AND f.ref_id = booked.id
            WHERE coalesce(f.facts, 0) <> 1
            """  # noqa: S608  # constant text
        ),
    ),
    Check(
        "receipts are numbered without gaps within a year",
        text("SELECT count(*) FROM receipt"),
        text(
            """
            SELECT community_id, year AS id, min(no) AS first, max(no) AS last, count(*) AS receipts
            FROM receipt GROUP BY community_id, year
            HAVING min(no) <> 1 OR max(no) <> count(*)
            """
        ),
    ),
    Check(
        "money stays with its home: payment, allocation, line, bill and posting agree",
        text("SELECT count(*) FROM payment_allocation"),
        text(
            """
            SELECT a.community_id, a.payment_id AS id, p.unit_id AS payer_of, b.unit_id AS bill_of,
                   l.bill_id AS line_of_bill, a.bill_id
            FROM payment_allocation a
            JOIN payment p ON p.community_id = a.community_id AND p.id = a.payment_id
            JOIN bill_line l ON l.community_id = a.community_id AND l.id = a.bill_line_id
            JOIN bill b ON b.community_id = a.community_id AND b.id = a.bill_id
            WHERE l.bill_id <> a.bill_id OR b.unit_id <> p.unit_id OR p.state <> 'confirmed'
            UNION ALL
            SELECT s.community_id, s.entry_id, s.unit_id, b.unit_id, NULL, s.bill_id
            FROM posting s
            JOIN bill b ON b.community_id = s.community_id AND b.id = s.bill_id
            WHERE s.unit_id IS DISTINCT FROM b.unit_id
            """
        ),
    ),
    Check(
        "what was earned by an item is what its issued lines say",
        text("SELECT count(*) FROM charge_item"),
        text(
            f"""
            SELECT i.community_id, i.id, i.code, coalesce(l.billed, 0) AS billed,
                   coalesce(j.earned, 0) AS earned
            FROM charge_item i
            LEFT JOIN (SELECT line.community_id, line.item_id, sum(line.amount) AS billed
                       FROM bill_line line
                       JOIN ({ISSUED_BILL}) b ON b.community_id = line.community_id
                        AND b.id = line.bill_id
                       WHERE line.kind <> 'opening'
                       GROUP BY 1, 2) l
                   ON l.community_id = i.community_id AND l.item_id = i.id
            LEFT JOIN (SELECT c.community_id, c.code, sum(s.credit - s.debit) AS earned
                       FROM posting s JOIN account c ON c.community_id = s.community_id
                        AND c.id = s.account_id
                       GROUP BY 1, 2) j
                   ON j.community_id = i.community_id AND j.code = 'income:' || i.code
            WHERE coalesce(l.billed, 0) <> coalesce(j.earned, 0)
            """  # noqa: S608  # constant text
        ),
    ),
]


def _run_sql(session: Session, check: Check) -> CheckResult:
    rows = session.execute(check.population).scalar_one()
    wrong = session.execute(check.violations).mappings().fetchmany(VIOLATIONS_SHOWN_MAX)
    return CheckResult(check.name, rows, [dict(row) for row in wrong])


def check_lines_recompute(session: Session) -> CheckResult:
    """Every line's amount is what its stored basis computes to today."""
    rows = 0
    wrong: list[dict[str, Any]] = []
    query = select(BillLine.community_id, BillLine.id, BillLine.amount, BillLine.basis)
    for line in session.execute(query.execution_options(yield_per=2000)):
        rows += 1
        try:
            amount = recompute(line.basis)
            reason = "" if amount == line.amount else f"basis gives {amount.yuan}"
        except PricingError as error:
            reason = str(error)
        if reason and len(wrong) < VIOLATIONS_SHOWN_MAX:
            wrong.append({"community_id": line.community_id, "id": line.id, "reason": reason})
    return CheckResult("every line recomputes from its basis", rows, wrong)


ALL_CHECKS: list[Callable[[Session], CheckResult]] = [
    *(lambda session, check=check: _run_sql(session, check) for check in SQL_CHECKS),
    check_lines_recompute,
]


def run_checks(session: Session) -> Iterator[CheckResult]:
    """Run every check. The caller opens a REPEATABLE READ transaction, so all see the same books.

    A check reads whole tables: the time-out of statements that people wait for does not apply.
    """
    session.execute(text("SET LOCAL statement_timeout = 0"))
    for check in ALL_CHECKS:
        yield check(session)
