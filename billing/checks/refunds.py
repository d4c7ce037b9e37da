"""Checks of money that went back, or is held until it does."""

from billing.checks.rule import account_sums, sql_check

HELD = "'approved', 'unknown', 'processing', 'abnormal'"
"""Stages in which a refund's money is held."""

REFUND_CHECKS = [
    sql_check(
        "no more is refunded of a payment than was paid, and never of one that was taken back",
        "SELECT count(*) FROM refund",
        f"""
        SELECT p.community_id, p.id, p.state, p.channel, p.amount, sum(r.amount) AS refunded
        FROM refund r
        JOIN payment p ON p.community_id = r.community_id AND p.id = r.payment_id
        WHERE r.state IN ({HELD}, 'done')
        GROUP BY p.community_id, p.id
        HAVING sum(r.amount) > p.amount OR p.state <> 'confirmed' OR p.channel = 'prepaid'
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "what is held for refunds of a home is what the journal owes it for them",
        "SELECT count(*) FROM refund",
        f"""
        SELECT coalesce(h.community_id, j.community_id) AS community_id,
               coalesce(h.unit_id, j.unit_id) AS unit_id, coalesce(h.held, 0) AS held,
               -coalesce(j.balance, 0) AS owed
        FROM (SELECT p.community_id, p.unit_id, sum(r.amount) AS held
              FROM refund r
              JOIN payment p ON p.community_id = r.community_id AND p.id = r.payment_id
              WHERE r.state IN ({HELD}) GROUP BY 1, 2) h
        FULL JOIN ({account_sums("liabilities:refunds", "p.community_id, p.unit_id")}) j
               ON j.community_id = h.community_id AND j.unit_id = h.unit_id
        WHERE coalesce(h.held, 0) <> -coalesce(j.balance, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "a refund is held, freed, given back and told as its state says, in full",
        "SELECT count(*) FROM refund",
        # Entries that hold it, free it, give it back; facts that it was approved, done, failed.
        f"""
        SELECT r.community_id, r.id, r.state, r.amount, b.seen, f.told
        FROM refund r
        CROSS JOIN LATERAL (
            SELECT concat_ws(' ', count(*) FILTER (WHERE e.kind = 'refund_held'),
                             count(m.id) FILTER (WHERE e.kind = 'refund_held'),
                             count(*) FILTER (WHERE e.kind = 'refund')) AS seen,
                   coalesce(bool_and(e.total = r.amount AND e.source_id = r.id), true) AS is_full
            FROM journal_entry e
            LEFT JOIN journal_entry m ON m.community_id = e.community_id AND m.reverses_id = e.id
            WHERE e.community_id = r.community_id
              AND e.idempotency_key IN ('refund_held:' || r.out_refund_no,
                                        'refund:' || r.out_refund_no)) b
        LEFT JOIN (
            SELECT community_id, ref_id,
                   concat_ws(' ', count(*) FILTER (WHERE kind = 'refund_approved'),
                             count(*) FILTER (WHERE kind = 'refund_done'),
                             count(*) FILTER (WHERE kind = 'refund_failed')) AS told
            FROM fact WHERE kind IN ('refund_approved', 'refund_done', 'refund_failed')
            GROUP BY 1, 2) f ON f.community_id = r.community_id AND f.ref_id = r.id
        WHERE NOT b.is_full OR b.seen || ', ' || coalesce(f.told, '0 0 0') <>
              CASE WHEN r.state IN ('requested', 'rejected') THEN '0 0 0, 0 0 0'
                   WHEN r.state IN ({HELD}) THEN '1 0 0, 1 0 0'
                   WHEN r.state = 'done' THEN '1 0 1, 1 1 0'
                   ELSE '1 1 0, 1 0 1' END
        UNION ALL
        SELECT e.community_id, e.source_id, e.kind, e.total, NULL, NULL
        FROM journal_entry e
        LEFT JOIN refund r ON r.community_id = e.community_id AND r.id = e.source_id
        WHERE e.kind IN ('refund_held', 'refund') AND r.id IS NULL
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "what a refund took from bills is owed on them again",
        "SELECT count(*) FROM refund WHERE released > 0",
        """
        SELECT r.community_id, r.id, r.released, coalesce(e.total, 0) AS posted
        FROM refund r
        LEFT JOIN (SELECT community_id, split_part(idempotency_key, ':', 3) AS refund,
                          sum(total) AS total
                   FROM journal_entry
                   WHERE kind = 'release' AND idempotency_key LIKE 'release:refund:%'
                   GROUP BY 1, 2) e
               ON e.community_id = r.community_id AND e.refund = r.id::text
        WHERE r.released <> coalesce(e.total, 0)
        """,
    ),
]
