"""Checks of bills: their lines, what is owed on them, adjustments, voids, shares of people."""

from billing.checks.rule import (
    APPROVED,
    IN_FORCE,
    ISSUED_OR_VOID,
    NOT_VOID,
    account_sums,
    sql_check,
)

BILL_CHECKS = [
    sql_check(
        "a bill is the sum of its lines",
        "SELECT count(*) FROM bill",
        """
        SELECT b.community_id, b.id, b.amount, coalesce(sum(l.amount), 0) AS lines
        FROM bill b
        LEFT JOIN bill_line l ON l.community_id = b.community_id AND l.bill_id = b.id
        GROUP BY b.community_id, b.id HAVING coalesce(sum(l.amount), 0) <> b.amount
        """,
    ),
    sql_check(
        "what is outstanding on a bill is what the journal has receivable for it",
        f"SELECT count(*) FROM ({IN_FORCE}) issued",  # noqa: S608  # constant text
        f"""
        SELECT b.community_id, b.id, b.amount, coalesce(d.adjusted, 0) AS adjusted,
               coalesce(a.allocated, 0) AS allocated, coalesce(j.balance, 0) AS receivable
        FROM ({IN_FORCE}) b
        LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS adjusted
                   FROM ({APPROVED}) approved GROUP BY 1, 2) d
               ON d.community_id = b.community_id AND d.bill_id = b.id
        LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS allocated
                   FROM payment_allocation GROUP BY 1, 2) a
               ON a.community_id = b.community_id AND a.bill_id = b.id
        LEFT JOIN ({account_sums("assets:receivable", "p.community_id, p.bill_id")}) j
               ON j.community_id = b.community_id AND j.bill_id = b.id
        WHERE b.amount + coalesce(d.adjusted, 0) - coalesce(a.allocated, 0)
              <> coalesce(j.balance, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "a void bill owes nothing and holds no money",
        "SELECT count(*) FROM bill_void",
        f"""
        SELECT v.community_id, v.bill_id AS id, coalesce(a.allocated, 0) AS allocated,
               coalesce(j.balance, 0) AS receivable
        FROM bill_void v
        LEFT JOIN (SELECT community_id, bill_id, sum(abs(line_total)) AS allocated
                   FROM (SELECT community_id, bill_id, sum(amount) AS line_total
                         FROM payment_allocation
                         GROUP BY community_id, bill_id, payment_id, bill_line_id) each
                   GROUP BY 1, 2) a
               ON a.community_id = v.community_id AND a.bill_id = v.bill_id
        LEFT JOIN ({account_sums("assets:receivable", "p.community_id, p.bill_id")}) j
               ON j.community_id = v.community_id AND j.bill_id = v.bill_id
        WHERE coalesce(a.allocated, 0) <> 0 OR coalesce(j.balance, 0) <> 0
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "no draft bill is in the journal",
        "SELECT count(*) FROM bill_run_chunk WHERE state = 'draft'",
        """
        SELECT DISTINCT b.community_id, b.id FROM bill b
        JOIN bill_run_chunk c ON c.community_id = b.community_id AND c.run_id = b.run_id
         AND c.no = b.chunk_no AND c.state = 'draft'
        JOIN posting p ON p.community_id = b.community_id AND p.bill_id = b.id
        """,
    ),
    sql_check(
        "no line is paid or lowered beyond its amount",
        "SELECT count(*) FROM bill_line",
        # A discount lies within the days of the charge it lowers; it is never paid itself.
        f"""
        SELECT line.community_id, line.id, line.amount, coalesce(d.adjusted, 0) AS adjusted,
               coalesce(o.discounted, 0) AS discounted, coalesce(a.paid, 0) AS paid
        FROM bill_line line
        LEFT JOIN (SELECT community_id, bill_line_id, sum(amount) AS paid
                   FROM payment_allocation GROUP BY 1, 2) a
               ON a.community_id = line.community_id AND a.bill_line_id = line.id
        LEFT JOIN (SELECT community_id, bill_line_id, sum(amount) AS adjusted
                   FROM ({APPROVED}) approved GROUP BY 1, 2) d
               ON d.community_id = line.community_id AND d.bill_line_id = line.id
        LEFT JOIN (SELECT charge.community_id, charge.id, sum(discount.amount) AS discounted
                   FROM bill_line discount
                   JOIN bill_line charge ON charge.community_id = discount.community_id
                    AND charge.bill_id = discount.bill_id AND charge.kind = 'charge'
                    AND charge.subject_id = discount.subject_id
                    AND charge.item_id = discount.item_id
                    AND charge.period_from <= discount.period_from
                    AND charge.period_to >= discount.period_to
                   WHERE discount.kind = 'discount'
                   GROUP BY 1, 2) o
               ON o.community_id = line.community_id AND o.id = line.id
        WHERE {NOT_VOID}
          AND (coalesce(a.paid, 0) < 0
               OR CASE line.kind WHEN 'discount'
                  THEN coalesce(a.paid, 0) <> 0 OR coalesce(d.adjusted, 0) <> 0
                  ELSE line.amount + coalesce(d.adjusted, 0) + coalesce(o.discounted, 0)
                       < coalesce(a.paid, 0) END)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "no subject is billed twice for overlapping days of one item",
        "SELECT count(*) FROM bill_line WHERE kind = 'charge'",
        f"""
        SELECT * FROM (
            SELECT community_id, id, subject_id, item_id, period_from, period_to,
                   max(period_to) OVER (PARTITION BY community_id, subject_id, item_id
                                        ORDER BY period_from, period_to, id
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   AS charged_until
            FROM bill_line line WHERE kind = 'charge' AND {NOT_VOID}) ordered
        WHERE charged_until > period_from
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "a late fee stands on a bill that stands",
        "SELECT count(*) FROM bill_line WHERE kind = 'late_fee'",
        f"""
        SELECT line.community_id, line.id, line.bill_id, line.source_id
        FROM bill_line line
        LEFT JOIN ({IN_FORCE}) debt ON debt.community_id = line.community_id
              AND debt.id = line.source_id
        WHERE line.kind = 'late_fee' AND debt.id IS NULL AND {NOT_VOID}
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "an approved adjustment is booked once and in full, no other is booked",
        "SELECT count(*) FROM adjustment",
        """
        SELECT d.community_id, d.id, d.state, d.amount, coalesce(j.entries, 0) AS entries,
               coalesce(j.owed, 0) AS booked
        FROM adjustment d
        LEFT JOIN (SELECT e.community_id, e.idempotency_key, count(*) AS entries,
                          sum(p.debit - p.credit) AS owed
                   FROM journal_entry e
                   JOIN posting p ON p.community_id = e.community_id AND p.entry_id = e.id
                   JOIN account c ON c.community_id = p.community_id AND c.id = p.account_id
                    AND c.code = 'assets:receivable'
                   WHERE e.idempotency_key LIKE 'adjustment:%' GROUP BY 1, 2) j
               ON j.community_id = d.community_id
              AND j.idempotency_key = 'adjustment:' || d.id
        WHERE CASE d.state WHEN 'approved'
              THEN coalesce(j.entries, 0) <> 1 OR coalesce(j.owed, 0) <> d.amount
              ELSE j.entries IS NOT NULL END
        """,
    ),
    sql_check(
        "what was earned by an item is what its issued lines say",
        "SELECT count(*) FROM charge_item",
        # Lines of opening balances were earned before these books began.
        f"""
        SELECT i.community_id, i.id, i.code, coalesce(l.billed, 0) AS billed,
               coalesce(j.earned, 0) AS earned
        FROM charge_item i
        LEFT JOIN (SELECT line.community_id, line.item_id,
                          sum(line.amount + coalesce(d.corrected, 0)) AS billed
                   FROM bill_line line
                   JOIN ({IN_FORCE}) b ON b.community_id = line.community_id
                    AND b.id = line.bill_id
                   LEFT JOIN (SELECT community_id, bill_line_id, sum(amount) AS corrected
                              FROM ({APPROVED}) approved WHERE kind = 'adjustment'
                              GROUP BY 1, 2) d
                          ON d.community_id = line.community_id AND d.bill_line_id = line.id
                   WHERE line.kind <> 'opening'
                   GROUP BY 1, 2) l
               ON l.community_id = i.community_id AND l.item_id = i.id
        LEFT JOIN (SELECT c.community_id, c.code, sum(s.credit - s.debit) AS earned
                   FROM posting s JOIN account c ON c.community_id = s.community_id
                    AND c.id = s.account_id
                   GROUP BY 1, 2) j
               ON j.community_id = i.community_id AND j.code = 'income:' || i.code
        WHERE coalesce(l.billed, 0) <> coalesce(j.earned, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "what a bill's waivers cost is what was waived on it",
        "SELECT count(*) FROM adjustment WHERE kind = 'waiver'",
        f"""
        SELECT coalesce(d.community_id, j.community_id) AS community_id,
               coalesce(d.bill_id, j.bill_id) AS id, coalesce(d.waived, 0) AS waived,
               coalesce(j.balance, 0) AS cost
        FROM (SELECT w.community_id, w.bill_id, -sum(w.amount) AS waived
              FROM ({APPROVED}) w
              JOIN ({IN_FORCE}) b ON b.community_id = w.community_id AND b.id = w.bill_id
              WHERE w.kind = 'waiver' GROUP BY 1, 2) d
        FULL JOIN ({account_sums("expenses:waivers", "p.community_id, p.bill_id")}) j
               ON j.community_id = d.community_id AND j.bill_id = d.bill_id
        WHERE coalesce(d.waived, 0) <> coalesce(j.balance, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "what several people owe of a bill is the whole bill",
        "SELECT count(*) FROM bill_share",
        f"""
        SELECT b.community_id, b.id, b.amount, coalesce(d.adjusted, 0) AS adjusted, s.shared
        FROM (SELECT community_id, bill_id, sum(amount) AS shared
              FROM bill_share GROUP BY 1, 2) s
        JOIN ({ISSUED_OR_VOID}) b ON b.community_id = s.community_id AND b.id = s.bill_id
        LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS adjusted
                   FROM ({APPROVED}) approved GROUP BY 1, 2) d
               ON d.community_id = b.community_id AND d.bill_id = b.id
        WHERE NOT b.is_void AND s.shared <> b.amount + coalesce(d.adjusted, 0)
        """,  # noqa: S608  # constant text
    ),
]
