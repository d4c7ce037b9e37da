"""Checks of the counter and what follows from it: cancellations, shifts, fapiao, day closes."""

from billing.checks.rule import sql_check

CASH_OF_SHIFTS = """
    SELECT community_id, shift_id, sum(amount) AS moved FROM (
        SELECT taken.community_id, taken.shift_id, payment.amount
        FROM counter_payment taken
        JOIN payment ON payment.community_id = taken.community_id
         AND payment.id = taken.payment_id
        WHERE payment.channel = 'cash' AND payment.state = 'confirmed'
        UNION ALL
        SELECT community_id, shift_id, CASE move WHEN 'taken' THEN amount ELSE -amount END
        FROM deposit_movement WHERE shift_id IS NOT NULL
        UNION ALL
        SELECT community_id, shift_id, -amount FROM refund
        WHERE shift_id IS NOT NULL AND state = 'done'
    ) moved GROUP BY 1, 2
"""
"""What `shifts.CASH_OF_SHIFT` says, of all shifts."""

COUNTER_CHECKS = [
    sql_check(
        "a cancelled payment is taken back whole, and no other is",
        "SELECT count(*) FROM counter_payment",
        """
        SELECT p.community_id, p.id, p.state, booked.standing, booked.undone,
               coalesce(a.lines, 0) AS lines, c.cancelled_at
        FROM payment p
        LEFT JOIN counter_payment c ON c.community_id = p.community_id AND c.payment_id = p.id
        JOIN (SELECT e.community_id, e.source_id,
                     count(*) FILTER (WHERE r.id IS NULL) AS standing,
                     count(*) FILTER (WHERE r.id IS NOT NULL AND e.kind = 'payment') AS undone
              FROM journal_entry e
              LEFT JOIN journal_entry r ON r.community_id = e.community_id
                    AND r.reverses_id = e.id
              WHERE e.kind IN ('payment', 'release') GROUP BY 1, 2) booked
          ON booked.community_id = p.community_id AND booked.source_id = p.id
        LEFT JOIN (SELECT community_id, payment_id, count(*) AS lines
                   FROM (SELECT community_id, payment_id FROM payment_allocation
                         GROUP BY community_id, payment_id, bill_line_id
                         HAVING sum(amount) <> 0) open_lines
                   GROUP BY 1, 2) a
               ON a.community_id = p.community_id AND a.payment_id = p.id
        WHERE p.state IN ('confirmed', 'reversed')
          AND CASE WHEN p.state = 'reversed'
              THEN booked.standing <> 0 OR booked.undone <> 1 OR coalesce(a.lines, 0) <> 0
                   OR c.cancelled_at IS NULL
              ELSE booked.undone <> 0 OR c.cancelled_at IS NOT NULL END
        """,
    ),
    sql_check(
        "a closed shift expected what went through its drawer, and posted what was missing",
        "SELECT count(*) FROM cashier_shift WHERE closed_at IS NOT NULL",
        f"""
        SELECT s.community_id, s.id, s.expected, s.counted,
               s.opening_float + coalesce(m.moved, 0) AS in_drawer,
               coalesce(j.posted, 0) AS posted
        FROM cashier_shift s
        LEFT JOIN ({CASH_OF_SHIFTS}) m ON m.community_id = s.community_id AND m.shift_id = s.id
        LEFT JOIN (SELECT e.community_id, e.source_id, sum(p.debit - p.credit) AS posted
                   FROM journal_entry e
                   JOIN posting p ON p.community_id = e.community_id AND p.entry_id = e.id
                   JOIN account c ON c.community_id = p.community_id AND c.id = p.account_id
                    AND c.code = 'assets:cash'
                   WHERE e.kind = 'cash_difference' GROUP BY 1, 2) j
               ON j.community_id = s.community_id AND j.source_id = s.id
        WHERE s.closed_at IS NOT NULL
          AND (s.expected <> s.opening_float + coalesce(m.moved, 0)
               OR coalesce(j.posted, 0) <> s.counted - s.expected)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "a fapiao is the sum of its payments' parts, which are never invoiced beyond what was paid",
        "SELECT count(*) FROM fapiao",
        """
        SELECT f.community_id, f.id, f.amount AS wanted, coalesce(sum(p.amount), 0) AS found
        FROM fapiao f
        LEFT JOIN fapiao_payment p ON p.community_id = f.community_id AND p.fapiao_id = f.id
        GROUP BY f.community_id, f.id HAVING coalesce(sum(p.amount), 0) <> f.amount
        UNION ALL
        SELECT m.community_id, m.id, m.amount, sum(p.amount)
        FROM payment m
        JOIN fapiao_payment p ON p.community_id = m.community_id AND p.payment_id = m.id
        JOIN fapiao f ON f.community_id = p.community_id AND f.id = p.fapiao_id
         AND f.state IN ('requested', 'issued')
        GROUP BY m.community_id, m.id
        HAVING sum(p.amount) > m.amount OR m.state <> 'confirmed'
        """,
    ),
    sql_check(
        "day closes follow each other and hold what was booked when they were made",
        "SELECT count(*) FROM day_close",
        # As `day_close.COUNT_MONEY`: the watermark of the close before, or its own for the first.
        """
        SELECT d.community_id, to_char(d.day, 'YYYYMMDD')::bigint AS id, d.payments, d.amount,
               count(m.id) AS payments_now, coalesce(sum(m.amount), 0) AS amount_now
        FROM (SELECT c.*, lag(c.day) OVER days AS before,
                     coalesce(lag(c.last_entry_id) OVER days, c.last_entry_id) AS seen
              FROM day_close c WINDOW days AS (PARTITION BY community_id ORDER BY day)) d
        LEFT JOIN (SELECT p.community_id, p.id, p.amount, e.id AS entry_id,
                          CAST(p.paid_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
                   FROM payment p
                   JOIN journal_entry e ON e.community_id = p.community_id
                    AND e.kind = 'payment' AND e.source_id = p.id
                   WHERE p.state IN ('confirmed', 'reversed')
                     AND p.channel NOT IN ('prepaid', 'imported')) m
               ON m.community_id = d.community_id AND m.entry_id <= d.last_entry_id
              AND m.day <= d.day AND (m.day > d.after OR m.entry_id > d.seen)
        GROUP BY d.community_id, d.day, d.after, d.before, d.payments, d.amount
        HAVING count(m.id) <> d.payments OR coalesce(sum(m.amount), 0) <> d.amount
            OR d.after <> coalesce(d.before, d.day - 1)
        """,
    ),
]
