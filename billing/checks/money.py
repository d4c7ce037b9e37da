"""Checks of money that came: payments, receipts, prepayments, deposits."""

from billing.checks.refunds import HELD
from billing.checks.rule import account_sums, sql_check

RELEASED_TO_PREPAYMENT = """
    SELECT e.community_id, e.source_id, sum(s.credit) AS prepaid
    FROM journal_entry e
    JOIN posting s ON s.community_id = e.community_id AND s.entry_id = e.id
    JOIN account c ON c.community_id = s.community_id AND c.id = s.account_id
     AND c.code = 'liabilities:prepayments'
    WHERE e.kind IN ('payment', 'release') GROUP BY 1, 2
"""
"""What became prepayment of each payment, at once or when a bill was voided."""

MONEY_CHECKS = [
    sql_check(
        "booked money is booked once, in full, and has a receipt or waits for its number",
        "SELECT count(*) FROM payment",
        # What is paid from a prepayment is the owner's money already receipted.
        """
        SELECT p.community_id, p.id, p.state, p.channel, p.amount,
               count(DISTINCT e.id) AS entries, count(DISTINCT r.no) AS receipts,
               count(DISTINCT w.payment_id) AS waiting, coalesce(max(e.total), 0) AS total
        FROM payment p
        LEFT JOIN journal_entry e ON e.community_id = p.community_id
              AND e.kind = 'payment' AND e.source_id = p.id
        LEFT JOIN receipt r ON r.community_id = p.community_id AND r.payment_id = p.id
        LEFT JOIN receipt_waiting w ON w.community_id = p.community_id AND w.payment_id = p.id
        GROUP BY p.community_id, p.id
        HAVING count(DISTINCT r.no) + count(DISTINCT w.payment_id) <>
               CASE WHEN p.state IN ('confirmed', 'reversed') AND p.channel <> 'prepaid'
               THEN 1 ELSE 0 END
            OR CASE WHEN p.state IN ('confirmed', 'reversed')
               THEN count(DISTINCT e.id) <> 1 OR max(e.total) <> p.amount
               ELSE count(DISTINCT e.id) <> 0 END
        """,
    ),
    sql_check(
        "prepaid bills are paid out of the prepayment, others never",
        "SELECT count(*) FROM payment WHERE state = 'confirmed'",
        """
        SELECT p.community_id, p.id, p.channel, p.amount, sum(s.debit) AS taken
        FROM payment p
        JOIN journal_entry e ON e.community_id = p.community_id
         AND e.kind = 'payment' AND e.source_id = p.id
        LEFT JOIN (posting s JOIN account c ON c.community_id = s.community_id
                    AND c.id = s.account_id AND c.code = 'liabilities:prepayments')
               ON s.community_id = e.community_id AND s.entry_id = e.id
        GROUP BY p.community_id, p.id
        HAVING coalesce(sum(s.debit), 0) <>
               CASE WHEN p.channel = 'prepaid' THEN p.amount ELSE 0 END
        """,
    ),
    sql_check(
        "a payment is what was allocated of it plus what became prepayment",
        "SELECT count(*) FROM payment WHERE state = 'confirmed'",
        f"""
        SELECT p.community_id, p.id, p.amount, coalesce(a.allocated, 0) AS allocated,
               coalesce(j.prepaid, 0) AS prepaid
        FROM payment p
        LEFT JOIN (SELECT community_id, payment_id, sum(amount) AS allocated
                   FROM payment_allocation GROUP BY 1, 2) a
               ON a.community_id = p.community_id AND a.payment_id = p.id
        LEFT JOIN ({RELEASED_TO_PREPAYMENT}) j
               ON j.community_id = p.community_id AND j.source_id = p.id
        WHERE p.state = 'confirmed'
          AND p.amount <> coalesce(a.allocated, 0) + coalesce(j.prepaid, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "a home's prepayment is what it brought along and paid beyond its bills, less refunds",
        "SELECT count(DISTINCT unit_id) FROM payment WHERE state = 'confirmed'",
        f"""
        SELECT coalesce(m.community_id, j.community_id) AS community_id,
               coalesce(m.unit_id, j.unit_id) AS unit_id, coalesce(m.prepaid, 0) AS paid_beyond,
               -coalesce(j.balance, 0) AS prepaid
        FROM (SELECT community_id, unit_id, sum(prepaid) AS prepaid
              FROM (SELECT p.community_id, p.unit_id,
                           CASE p.channel WHEN 'prepaid' THEN 0 ELSE p.amount END
                           - coalesce(a.allocated, 0) AS prepaid
                    FROM payment p
                    LEFT JOIN (SELECT community_id, payment_id, sum(amount) AS allocated
                               FROM payment_allocation GROUP BY 1, 2) a
                           ON a.community_id = p.community_id AND a.payment_id = p.id
                    WHERE p.state = 'confirmed'
                    UNION ALL
                    SELECT community_id, unit_id, amount FROM fact WHERE kind = 'prepaid_opened'
                    UNION ALL
                    SELECT p.community_id, p.unit_id, -r.amount
                    FROM refund r
                    JOIN payment p ON p.community_id = r.community_id AND p.id = r.payment_id
                    WHERE r.state IN ({HELD}, 'done'))
                   moved
              GROUP BY 1, 2) m
        FULL JOIN ({account_sums("liabilities:prepayments", "p.community_id, p.unit_id")}) j
               ON j.community_id = m.community_id AND j.unit_id = m.unit_id
        WHERE coalesce(m.prepaid, 0) <> -coalesce(j.balance, 0) OR m.prepaid < 0
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "no deposit is returned or kept beyond what was taken",
        "SELECT count(*) FROM deposit",
        """
        SELECT d.community_id, d.id, d.number,
               sum(CASE m.move WHEN 'taken' THEN m.amount ELSE -m.amount END) AS held
        FROM deposit d
        LEFT JOIN deposit_movement m ON m.community_id = d.community_id AND m.deposit_id = d.id
        GROUP BY d.community_id, d.id
        HAVING coalesce(sum(CASE m.move WHEN 'taken' THEN m.amount ELSE -m.amount END), -1) < 0
        """,
    ),
    sql_check(
        "the deposits of a home are what the journal owes it for them",
        "SELECT count(*) FROM deposit_movement",
        f"""
        SELECT coalesce(h.community_id, j.community_id) AS community_id,
               coalesce(h.unit_id, j.unit_id) AS unit_id, coalesce(h.held, 0) AS held,
               -coalesce(j.balance, 0) AS owed
        FROM (SELECT d.community_id, d.unit_id,
                     sum(CASE m.move WHEN 'taken' THEN m.amount ELSE -m.amount END) AS held
              FROM deposit d
              JOIN deposit_movement m ON m.community_id = d.community_id AND m.deposit_id = d.id
              GROUP BY 1, 2) h
        FULL JOIN ({account_sums("liabilities:deposits", "p.community_id, p.unit_id")}) j
               ON j.community_id = h.community_id AND j.unit_id = h.unit_id
        WHERE coalesce(h.held, 0) <> -coalesce(j.balance, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "receipts are numbered without gaps within a year",
        "SELECT count(*) FROM receipt",
        """
        SELECT community_id, year AS id, min(no) AS first, max(no) AS last, count(*) AS receipts
        FROM receipt GROUP BY community_id, year
        HAVING min(no) <> 1 OR max(no) <> count(*)
        """,
    ),
    sql_check(
        "money stays with its home: payment, allocation, line, bill and posting agree",
        "SELECT count(*) FROM payment_allocation",
        """
        SELECT a.community_id, a.payment_id AS id, p.unit_id AS payer_of, b.unit_id AS bill_of,
               l.bill_id AS line_of_bill, a.bill_id
        FROM payment_allocation a
        JOIN payment p ON p.community_id = a.community_id AND p.id = a.payment_id
        JOIN bill_line l ON l.community_id = a.community_id AND l.id = a.bill_line_id
        JOIN bill b ON b.community_id = a.community_id AND b.id = a.bill_id
        WHERE l.bill_id <> a.bill_id OR b.unit_id <> p.unit_id
           OR p.state NOT IN ('confirmed', 'reversed')
        UNION ALL
        SELECT s.community_id, s.entry_id, s.unit_id, b.unit_id, NULL, s.bill_id
        FROM posting s
        JOIN bill b ON b.community_id = s.community_id AND b.id = s.bill_id
        WHERE s.unit_id IS DISTINCT FROM b.unit_id
        """,
    ),
]
