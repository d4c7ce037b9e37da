"""Past payments of the demo, as taken over from an older system: cash at the counter, set-wise.

Every statement keeps the books whole, so `mingzhang check` holds over history as over the rest.
"""

import random
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.demo.cast import CAST

LATE_SHARE = 0.04
"""Share of the other homes that are a month or two behind."""

OWED = text(
    """
    SELECT bill.id, bill.unit_id, unit.room, bill.amount,
           dense_rank() OVER (ORDER BY bill.period DESC) - 1 AS months_ago
    FROM bill JOIN unit ON unit.community_id = bill.community_id AND unit.id = bill.unit_id
    WHERE bill.community_id = :community_id AND bill.amount > 0
    ORDER BY bill.period, bill.unit_id, bill.id
    """
)

STATEMENTS = [
    text(statement)
    for statement in (
        """
        CREATE TEMPORARY TABLE paid ON COMMIT DROP AS
        SELECT bill.community_id, bill.id AS bill_id, bill.unit_id, bill.amount,
               'OLD' || bill.id AS number,
               chunk.issued_on + CAST(paid.day AS int) AS paid_on,
               (chunk.issued_on + CAST(paid.day AS int) + time '10:00')
                   AT TIME ZONE 'Asia/Shanghai' AS paid_at
        FROM unnest(CAST(:bill_ids AS bigint[]), CAST(:days AS int[])) AS paid(bill_id, day)
        JOIN bill ON bill.community_id = :community_id AND bill.id = paid.bill_id
        JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
        """,
        """
        INSERT INTO payment (community_id, out_trade_no, unit_id, channel, state, amount,
                             prepared_at, confirmed_at, paid_at, is_designated)
        SELECT community_id, number, unit_id, 'cash', 'confirmed', amount, paid_at, paid_at,
               paid_at, true
        FROM paid ORDER BY paid_at, bill_id
        """,
        """
        INSERT INTO payment_target (community_id, payment_id, bill_id, amount)
        SELECT paid.community_id, payment.id, paid.bill_id, paid.amount
        FROM paid JOIN payment ON payment.community_id = paid.community_id
         AND payment.out_trade_no = paid.number
        """,
        """
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT paid.community_id, payment.id, line.id, paid.bill_id, line.amount + less.amount,
               paid.paid_on
        FROM paid
        JOIN payment ON payment.community_id = paid.community_id
         AND payment.out_trade_no = paid.number
        JOIN bill_line line ON line.community_id = paid.community_id
         AND line.bill_id = paid.bill_id
        CROSS JOIN LATERAL (
            -- A discount lies within the days of the charge it lowers, and is not paid itself.
            SELECT coalesce(sum(amount), 0) AS amount FROM bill_line discount
            WHERE discount.community_id = line.community_id AND discount.bill_id = line.bill_id
              AND discount.subject_id = line.subject_id AND discount.item_id = line.item_id
              AND discount.period_from >= line.period_from
              AND discount.period_to <= line.period_to AND discount.kind = 'discount'
        ) less
        WHERE line.kind <> 'discount' AND line.amount + less.amount > 0
        """,
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT paid.community_id, 'payment', 'payment:' || paid.number, payment.id, paid.paid_on,
               paid.paid_at, 2, paid.amount
        FROM paid JOIN payment ON payment.community_id = paid.community_id
         AND payment.out_trade_no = paid.number
        ORDER BY paid.paid_at, paid.bill_id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT paid.community_id, entry.id, side.no, account.id,
               CASE WHEN side.no = 2 THEN paid.unit_id END,
               CASE WHEN side.no = 2 THEN paid.bill_id END,
               CASE WHEN side.no = 1 THEN paid.amount ELSE 0 END,
               CASE WHEN side.no = 2 THEN paid.amount ELSE 0 END
        FROM paid
        JOIN journal_entry entry ON entry.community_id = paid.community_id
         AND entry.idempotency_key = 'payment:' || paid.number
        CROSS JOIN (VALUES (1, 'assets:cash'), (2, 'assets:receivable')) AS side(no, code)
        JOIN account ON account.community_id = paid.community_id AND account.code = side.code
        """,
        """
        INSERT INTO receipt (community_id, year, no, payment_id, issued_at)
        SELECT paid.community_id, extract(year FROM paid.paid_on),
               row_number() OVER (PARTITION BY extract(year FROM paid.paid_on)
                                  ORDER BY paid.paid_at, paid.bill_id),
               payment.id, paid.paid_at
        FROM paid JOIN payment ON payment.community_id = paid.community_id
         AND payment.out_trade_no = paid.number
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at, taken_at)
        SELECT paid.community_id, 'payment_confirmed', paid.unit_id, payment.id, paid.amount,
               jsonb_build_object('receipt', receipt.year || '-' || lpad(receipt.no::text, 6, '0'),
                                  'payer_id', NULL),
               paid.paid_at, paid.paid_at
        FROM paid
        JOIN payment ON payment.community_id = paid.community_id
         AND payment.out_trade_no = paid.number
        JOIN receipt ON receipt.community_id = paid.community_id
         AND receipt.payment_id = payment.id
        """,
        # Nobody is to be told today of bills issued months ago.
        """
        UPDATE fact SET taken_at = at WHERE community_id = :community_id AND taken_at IS NULL
        """,
    )
]


def pay_history(session: Session, community_id: int, chance: random.Random) -> None:
    """Pay every bill in full on some day of its month, but for the current month and those
    behind.
    """
    behind = {character.room: character.months_behind for character in CAST}
    bill_ids: list[int] = []
    days: list[int] = []
    for bill in session.execute(OWED, {"community_id": community_id}):
        if bill.room not in behind:
            behind[bill.room] = chance.choice((1, 2)) if chance.random() < LATE_SHARE else 0
        if bill.months_ago > behind[bill.room]:
            bill_ids.append(bill.id)
            days.append(min(int(chance.gammavariate(2, 4)), 27))
    parameters: dict[str, Any] = {
        "community_id": community_id,
        "bill_ids": bill_ids,
        "days": days,
    }
    for statement in STATEMENTS:
        session.execute(statement, parameters)
