"""Checks of what banks say: rows of statements and orders of direct debit against payments."""

from billing.checks.rule import sql_check

BANK_CHECKS = [
    sql_check(
        "a booked bank row is one payment of its home and amount, and every transfer is a row",
        "SELECT count(*) FROM bank_row WHERE payment_id IS NOT NULL",
        # A payment the cashier took back keeps its row until the row is assigned again.
        """
        SELECT r.community_id, r.id, r.state, r.amount, p.amount AS paid, p.channel,
               p.state AS payment
        FROM bank_row r
        LEFT JOIN payment p ON p.community_id = r.community_id AND p.id = r.payment_id
        WHERE r.state IN ('matched', 'underpaid', 'overpaid', 'recorded')
          AND (p.id IS NULL OR p.amount <> r.amount OR p.unit_id IS DISTINCT FROM r.unit_id
               OR p.state NOT IN ('confirmed', 'reversed')
               OR p.channel <> CASE r.state WHEN 'recorded' THEN 'slip' ELSE 'bank_transfer' END)
        UNION ALL
        SELECT p.community_id, p.id, p.state, p.amount, sum(r.amount), p.channel, p.state
        FROM payment p
        LEFT JOIN bank_row r ON r.community_id = p.community_id AND r.payment_id = p.id
        WHERE p.channel = 'bank_transfer' AND p.state = 'confirmed'
        GROUP BY p.community_id, p.id HAVING count(r.id) <> 1
        """,
    ),
    sql_check(
        "a direct debit order's payment is what the bank said of it, and every debit is an order",
        "SELECT count(*) FROM direct_debit_order",
        """
        SELECT p.community_id, p.id, p.state, p.amount, o.state AS said, o.amount AS ordered,
               b.state AS batch
        FROM payment p
        LEFT JOIN direct_debit_order o
               ON o.community_id = p.community_id AND o.payment_id = p.id
        LEFT JOIN direct_debit_batch b ON b.community_id = o.community_id AND b.id = o.batch_id
        LEFT JOIN direct_debit_mandate m
               ON m.community_id = o.community_id AND m.id = o.mandate_id
        WHERE (p.channel = 'direct_debit' OR o.no IS NOT NULL)
          AND (o.no IS NULL OR p.channel <> 'direct_debit' OR p.amount <> o.amount
               OR p.unit_id IS DISTINCT FROM m.unit_id
               OR CASE o.state
                  WHEN 'paid' THEN p.state NOT IN ('confirmed', 'reversed')
                  WHEN 'failed' THEN p.state <> 'closed'
                  WHEN 'cancelled' THEN p.state <> 'closed'
                  ELSE p.state <> CASE b.state WHEN 'made' THEN 'prepared'
                                               WHEN 'sent' THEN 'waiting' ELSE '' END END)
        """,
    ),
]
