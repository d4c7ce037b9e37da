"""Checks of the roll-ups: they say what the raw rows say."""

from billing.checks.rule import APPROVED, IN_FORCE, sql_check

ROLLUP_CHECKS = [
    sql_check(
        "what reports add up beforehand is the sum of the lines, corrections and allocations",
        "SELECT count(*) FROM collection_move",
        f"""
        SELECT coalesce(rolled.community_id, raw.community_id) AS community_id,
               coalesce(rolled.building_id, raw.building_id) AS id,
               coalesce(rolled.period, raw.period) AS period,
               coalesce(rolled.item_id, raw.item_id) AS item_id, rolled.due AS rolled_due,
               raw.due AS raw_due, rolled.paid AS rolled_paid, raw.paid AS raw_paid
        FROM (SELECT community_id, period, building_id, item_id, sum(due) AS due, sum(paid) AS paid
              FROM collection_move GROUP BY 1, 2, 3, 4) rolled
        FULL JOIN (
            SELECT bill.community_id, bill.period, unit.building_id, line.item_id,
                   sum(line.amount + coalesce(change.amount, 0)) AS due,
                   sum(coalesce(part.amount, 0)) AS paid
            FROM ({IN_FORCE}) bill
            JOIN unit ON unit.community_id = bill.community_id AND unit.id = bill.unit_id
            JOIN bill_line line ON line.community_id = bill.community_id AND line.bill_id = bill.id
            LEFT JOIN (SELECT community_id, bill_line_id, sum(amount) AS amount
                       FROM ({APPROVED}) approved GROUP BY 1, 2) change
                   ON change.community_id = line.community_id AND change.bill_line_id = line.id
            LEFT JOIN (SELECT community_id, bill_line_id, sum(amount) AS amount
                       FROM payment_allocation GROUP BY 1, 2) part
                   ON part.community_id = line.community_id AND part.bill_line_id = line.id
            GROUP BY 1, 2, 3, 4
        ) raw USING (community_id, period, building_id, item_id)
        WHERE coalesce(rolled.due, 0) <> coalesce(raw.due, 0)
           OR coalesce(rolled.paid, 0) <> coalesce(raw.paid, 0)
        """,  # noqa: S608  # constant text
    ),
    sql_check(
        "what is owed beforehand is what is owed on every bill",
        "SELECT count(DISTINCT (community_id, bill_id)) FROM owed_move",
        f"""
        SELECT coalesce(rolled.community_id, raw.community_id) AS community_id,
               coalesce(rolled.bill_id, raw.bill_id) AS id, rolled.amount AS rolled,
               raw.amount AS raw
        FROM (SELECT community_id, bill_id, sum(amount) AS amount FROM owed_move
              GROUP BY 1, 2) rolled
        FULL JOIN (
            SELECT bill.community_id, bill.id AS bill_id,
                   bill.amount + coalesce(change.amount, 0) - coalesce(part.amount, 0) AS amount
            FROM ({IN_FORCE}) bill
            LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS amount
                       FROM ({APPROVED}) approved GROUP BY 1, 2) change
                   ON change.community_id = bill.community_id AND change.bill_id = bill.id
            LEFT JOIN (SELECT community_id, bill_id, sum(amount) AS amount
                       FROM payment_allocation GROUP BY 1, 2) part
                   ON part.community_id = bill.community_id AND part.bill_id = bill.id
        ) raw USING (community_id, bill_id)
        WHERE coalesce(rolled.amount, 0) <> coalesce(raw.amount, 0)
        """,  # noqa: S608  # constant text
    ),
]
