"""Checks of the journal itself: entries, reversals, closed months, facts."""

from billing.checks.rule import ISSUED_OR_VOID, sql_check

JOURNAL_CHECKS = [
    sql_check(
        "every journal entry balances to its announced total",
        "SELECT count(*) FROM journal_entry",
        """
        SELECT e.community_id, e.id, e.idempotency_key, e.postings, e.total,
               count(p.no) AS posted, coalesce(sum(p.debit), 0) AS debit,
               coalesce(sum(p.credit), 0) AS credit
        FROM journal_entry e
        LEFT JOIN posting p ON p.community_id = e.community_id AND p.entry_id = e.id
        GROUP BY e.community_id, e.id
        HAVING count(p.no) <> e.postings OR coalesce(sum(p.debit), 0) <> e.total
            OR coalesce(sum(p.credit), 0) <> e.total
        """,
    ),
    sql_check(
        "a reversal is the mirror of what it takes back, and is not taken back itself",
        "SELECT count(*) FROM journal_entry WHERE reverses_id IS NOT NULL OR kind = 'reversal'",
        """
        SELECT r.community_id, r.id, r.reverses_id
        FROM journal_entry r
        LEFT JOIN journal_entry e ON e.community_id = r.community_id AND e.id = r.reverses_id
        WHERE (r.reverses_id IS NOT NULL OR r.kind = 'reversal')
          AND (e.id IS NULL OR e.kind = 'reversal' OR r.kind <> 'reversal'
               OR EXISTS (
                   SELECT 1
                   FROM (SELECT * FROM posting
                         WHERE community_id = e.community_id AND entry_id = e.id) one
                   FULL JOIN (SELECT * FROM posting
                              WHERE community_id = r.community_id AND entry_id = r.id) other
                     ON one.no = other.no
                   WHERE (one.account_id, one.unit_id, one.bill_id, one.debit, one.credit)
                         IS DISTINCT FROM
                         (other.account_id, other.unit_id, other.bill_id, other.credit,
                          other.debit)))
        """,
    ),
    sql_check(
        "a closed month holds what it held when it was closed",
        "SELECT count(*) FROM period_close",
        """
        SELECT c.community_id, extract(year FROM month.ends - 1) * 100
               + extract(month FROM month.ends - 1) AS id, c.entries, c.total,
               count(e.id) AS entries_now, coalesce(sum(e.total), 0) AS total_now
        FROM period_close c
        CROSS JOIN LATERAL
             (SELECT (to_date(c.period, 'YYYY-MM') + interval '1 month')::date AS ends) month
        LEFT JOIN journal_entry e ON e.community_id = c.community_id
              AND e.effective_on < month.ends
        GROUP BY c.community_id, c.period, c.entries, c.total, month.ends
        HAVING count(e.id) <> c.entries OR coalesce(sum(e.total), 0) <> c.total
        """,
    ),
    sql_check(
        "one fact per issued bill, void, approved adjustment, booked and cancelled payment",
        "SELECT count(*) FROM fact",
        # A bill that was voided as a draft was never issued, whatever became of its chunk.
        f"""
        SELECT coalesce(booked.kind, f.kind) AS kind,
               coalesce(booked.community_id, f.community_id) AS community_id,
               coalesce(booked.id, f.ref_id) AS id, coalesce(f.facts, 0) AS facts
        FROM (SELECT 'bill_issued' AS kind, b.community_id, b.id FROM ({ISSUED_OR_VOID}) b
              WHERE NOT b.is_void OR (b.community_id, b.id) IN
                    (SELECT community_id, ref_id FROM fact
                     WHERE kind = 'bill_voided' AND data ->> 'issued' = 'true')
              UNION ALL
              SELECT 'bill_voided', community_id, bill_id FROM bill_void
              UNION ALL
              SELECT 'adjusted', community_id, id FROM adjustment WHERE state = 'approved'
              UNION ALL
              SELECT CASE channel WHEN 'prepaid' THEN 'prepaid_used'
                     ELSE 'payment_confirmed' END, community_id, id
              FROM payment WHERE state IN ('confirmed', 'reversed')
              UNION ALL
              SELECT 'payment_reversed', community_id, id
              FROM payment WHERE state = 'reversed') booked
        FULL JOIN (SELECT community_id, kind, ref_id, count(*) AS facts FROM fact
                   WHERE kind IN ('bill_issued', 'bill_voided', 'adjusted', 'prepaid_used',
                                  'payment_confirmed', 'payment_reversed')
                   GROUP BY community_id, kind, ref_id) f
               ON f.community_id = booked.community_id AND f.kind = booked.kind
              AND f.ref_id = booked.id
        WHERE coalesce(f.facts, 0) <> 1 OR booked.id IS NULL
        """,  # noqa: S608  # constant text
    ),
]
