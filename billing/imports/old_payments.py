"""Book payments of the time before the books were opened, set-wise.

They become confirmed payments in cash, applied to the home's opening debts from the oldest on; what
is left is a prepayment. Entries are dated the day the money was paid, never in a closed month;
receipts are numbered in its year. The facts are recorded as already taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.bills import LineKind
from billing.bulk import copy_rows, draw_ids
from billing.facts import FactKind
from billing.imports.opening_books import book_set_wise
from billing.ledger import EntryKind, FixedAccount
from billing.money import Money
from billing.payment_tables import PaymentChannel, PaymentState
from billing.payments import lock_homes


@dataclass(frozen=True, slots=True)
class OldPayment:
    """Money taken; `channel` is how, in the words of the old books."""

    unit_id: int
    receipt_no: str
    paid_on: date
    amount: Money
    channel: str


def payment_number(receipt_no: str) -> str:
    """Our number of a payment that had this receipt."""
    return f"IMP-{receipt_no}"


DATE_PAYMENTS = text(
    """
    UPDATE old_payment
    SET effective_on = greatest(paid_on, CAST(:open_from AS date)),
        paid_at = CAST(paid_on AS timestamp) AT TIME ZONE 'Asia/Shanghai'
    """
)

PAYMENTS = [
    text(statement)
    for statement in (
        """
        INSERT INTO payment (community_id, id, out_trade_no, unit_id, channel, state, amount,
                             prepared_at, confirmed_at, paid_at)
        SELECT community_id, id, number, unit_id, :channel, :state, amount, paid_at, paid_at,
               paid_at
        FROM old_payment ORDER BY id
        """,
        # What is owed on each debt and what each payment brings are laid end to end, home by home:
        # where the two stretches meet, the payment pays the debt. PostgreSQL knows nothing of rows
        # this transaction wrote; without ANALYZE it would compare every debt with every payment.
        "ANALYZE old_payment",
        """
        CREATE TEMPORARY TABLE old_owed ON COMMIT DROP AS
        SELECT line.id, line.bill_id, bill.unit_id, rest.amount,
               sum(rest.amount) OVER (PARTITION BY bill.unit_id
                                      ORDER BY chunk.due_on, line.period_from, line.id) AS upto
        FROM bill_line line
        JOIN bill ON bill.community_id = line.community_id AND bill.id = line.bill_id
        JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
        CROSS JOIN LATERAL (
            SELECT line.amount
                + coalesce((SELECT sum(amount) FROM adjustment
                            WHERE community_id = line.community_id
                              AND bill_line_id = line.id AND state = 'approved'), 0)
                - coalesce((SELECT sum(amount) FROM payment_allocation
                            WHERE community_id = line.community_id
                              AND bill_line_id = line.id), 0) AS amount) rest
        WHERE line.community_id = :community_id AND line.kind = :line_kind
          AND bill.unit_id IN (SELECT unit_id FROM old_payment) AND rest.amount > 0
          AND NOT EXISTS (SELECT FROM bill_void void
                          WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
        """,
        "ANALYZE old_owed",
        """
        CREATE TEMPORARY TABLE old_part ON COMMIT DROP AS
        SELECT money.id AS payment_id, owed.id AS line_id, owed.bill_id, money.unit_id,
               money.paid_on,
               least(owed.upto, money.upto)
                 - greatest(owed.upto - owed.amount, money.upto - money.amount) AS amount
        FROM old_owed owed
        JOIN (SELECT *, sum(amount) OVER (PARTITION BY unit_id ORDER BY paid_on, id) AS upto
              FROM old_payment) money
          ON money.unit_id = owed.unit_id
         AND owed.upto > money.upto - money.amount AND money.upto > owed.upto - owed.amount
        """,
        "ANALYZE old_part",
        """
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT :community_id, payment_id, line_id, bill_id, amount, paid_on
        FROM old_part ORDER BY payment_id, line_id
        """,
        """
        CREATE TEMPORARY TABLE old_leg ON COMMIT DROP AS
        SELECT id AS payment_id, 1 AS rank, CAST(:cash AS text) AS code, NULL::bigint AS unit_id,
               NULL::bigint AS bill_id, amount AS debit, 0 AS credit
        FROM old_payment
        UNION ALL
        SELECT payment_id, 2, :receivable, unit_id, bill_id, 0, sum(amount)
        FROM old_part GROUP BY payment_id, unit_id, bill_id
        UNION ALL
        SELECT money.id, 3, :prepaid, money.unit_id, NULL, 0,
               money.amount - coalesce(parts.amount, 0)
        FROM old_payment money
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM old_part GROUP BY payment_id) parts
          ON parts.payment_id = money.id
        WHERE money.amount > coalesce(parts.amount, 0)
        """,
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT money.community_id, :payment_kind, 'payment:' || money.number, money.id,
               money.effective_on, :now, legs.count, money.amount
        FROM old_payment money
        JOIN (SELECT payment_id, count(*) AS count FROM old_leg GROUP BY payment_id) legs
          ON legs.payment_id = money.id
        ORDER BY money.id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT money.community_id, entry.id,
               row_number() OVER (PARTITION BY leg.payment_id ORDER BY leg.rank, leg.bill_id),
               account.id, leg.unit_id, leg.bill_id, leg.debit, leg.credit
        FROM old_leg leg
        JOIN old_payment money ON money.id = leg.payment_id
        JOIN journal_entry entry ON entry.community_id = money.community_id
         AND entry.idempotency_key = 'payment:' || money.number
        JOIN account ON account.community_id = money.community_id AND account.code = leg.code
        """,
        # Numbers go on where the year's stand; the community's row serialises numbering.
        "SELECT id FROM community WHERE id = :community_id FOR NO KEY UPDATE",
        """
        INSERT INTO receipt (community_id, year, no, payment_id, issued_at)
        SELECT money.community_id, money.year,
               coalesce(last.no, 0) + row_number() OVER (PARTITION BY money.year
                                                         ORDER BY money.paid_on, money.id),
               money.id, money.paid_at
        FROM (SELECT *, extract(year FROM paid_on) AS year FROM old_payment) money
        LEFT JOIN (SELECT year, max(no) AS no FROM receipt
                   WHERE community_id = :community_id GROUP BY year) last
          ON last.year = money.year
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at, taken_at)
        SELECT money.community_id, :fact_kind, money.unit_id, money.id, money.amount,
               jsonb_build_object('receipt', receipt.year || '-' || lpad(receipt.no::text, 6, '0'),
                                  'payer_id', NULL, 'old_receipt', money.receipt_no,
                                  'old_channel', money.channel),
               :now, :now
        FROM old_payment money
        JOIN receipt ON receipt.community_id = money.community_id
         AND receipt.payment_id = money.id
        ORDER BY money.id
        """,
        "DROP TABLE old_leg, old_part, old_owed, old_payment",
    )
]

NEW_PAYMENTS = text(
    """
    CREATE TEMPORARY TABLE old_payment (
        community_id bigint, id bigint, unit_id bigint, number text, receipt_no text, channel text,
        amount bigint, paid_on date, effective_on date, paid_at timestamptz
    ) ON COMMIT DROP
    """
)


def book_payments(
    session: Session, community_id: int, payments: Sequence[OldPayment], *, now: datetime
) -> None:
    """Book old payments: confirmed, applied, posted, receipted. None of them is booked already."""
    if not payments:
        return
    lock_homes(session, community_id, {payment.unit_id for payment in payments})
    ordered = sorted(payments, key=lambda payment: (payment.paid_on, payment.receipt_no))
    rows = zip(draw_ids(session, "payment", len(ordered)), ordered, strict=True)
    session.execute(NEW_PAYMENTS)
    copy_rows(
        session,
        "old_payment",
        ("community_id", "id", "unit_id", "number", "receipt_no", "channel", "amount", "paid_on"),
        (
            (
                community_id,
                payment_id,
                payment.unit_id,
                payment_number(payment.receipt_no),
                payment.receipt_no,
                payment.channel,
                payment.amount.fen,
                payment.paid_on,
            )
            for payment_id, payment in rows
        ),
    )
    book_set_wise(
        session,
        [DATE_PAYMENTS, *PAYMENTS],
        community_id,
        now=now,
        cash=FixedAccount.CASH.value,
        channel=PaymentChannel.IMPORTED.value,
        state=PaymentState.CONFIRMED.value,
        line_kind=LineKind.OPENING.value,
        payment_kind=EntryKind.PAYMENT.value,
        fact_kind=FactKind.PAYMENT_CONFIRMED.value,
    )
