"""What a provider's statement and the books say differently, found by SQL joins.

The statement's rows are in a temporary table; nothing here depends on how many they are. What is
compared is either a whole day, or only the orders and refunds the provider was asked about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO, Any

from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.bulk import driver_of
from billing.business_day import BEIJING
from billing.discrepancies import BOOKED_SINCE, VANISHED, close_alerts_of_closed
from billing.money import Money

BLOCK_BYTES = 1 << 18

TABLES = [
    text(statement)
    for statement in (
        """
        CREATE TEMPORARY TABLE statement_row (
            out_trade_no text NOT NULL, transaction_id text NOT NULL, amount bigint NOT NULL,
            at timestamptz NOT NULL, fee bigint NOT NULL, out_refund_no text, refund_id text,
            refund_state text
        ) ON COMMIT DROP
        """,
        """
        CREATE TEMPORARY TABLE asked (out_trade_no text NOT NULL, out_refund_no text NOT NULL)
        ON COMMIT DROP
        """,
        """
        CREATE TEMPORARY TABLE difference (
            kind text NOT NULL, community_id bigint, payment_id bigint, refund_id bigint,
            out_trade_no text NOT NULL, out_refund_no text NOT NULL, transaction_id text NOT NULL,
            data jsonb NOT NULL, may_heal boolean NOT NULL
        ) ON COMMIT DROP
        """,
    )
]

COPY_ROWS = sql.SQL("COPY statement_row FROM STDIN (FORMAT csv)")
ANALYSE = text("ANALYZE statement_row")
NOTE_ASKED = text(
    "INSERT INTO asked SELECT * FROM unnest(CAST(:orders AS text[]), CAST(:refunds AS text[]))"
)

COMPARE = [
    text(statement)
    for statement in (
        """
        INSERT INTO difference
        SELECT judged.kind, judged.community_id, judged.payment_id, NULL, judged.out_trade_no, '',
               judged.transaction_id,
               jsonb_build_object('provider_fen', judged.amount, 'booked_fen', judged.booked,
                                  'state', judged.state, 'paid_at', judged.at),
               judged.kind = 'missing_here' AND judged.payment_id IS NOT NULL
        FROM (
            SELECT said.*, payment.community_id, payment.id AS payment_id,
                   payment.amount AS booked, payment.state,
                   CASE WHEN payment.id IS NULL THEN 'missing_here'
                        WHEN payment.amount <> said.amount THEN 'amount'
                        WHEN payment.state NOT IN ('confirmed', 'reversed') THEN 'missing_here'
                        WHEN payment.transaction_id IS DISTINCT FROM said.transaction_id
                            THEN 'paid_twice'
                        WHEN payment.state = 'reversed' OR payment.paid_at < :day_starts
                          OR payment.paid_at >= :day_ends THEN 'state' END AS kind
            FROM statement_row said
            LEFT JOIN provider_order ours ON ours.merchant_id = :merchant_id
                  AND ours.out_trade_no = said.out_trade_no
            LEFT JOIN payment ON payment.community_id = ours.community_id
                  AND payment.id = ours.payment_id
            WHERE said.out_refund_no IS NULL
        ) judged
        WHERE judged.kind IS NOT NULL
        """,
        """
        INSERT INTO difference
        SELECT 'missing_there', payment.community_id, payment.id, NULL, payment.out_trade_no, '',
               coalesce(payment.transaction_id, ''),
               jsonb_build_object('booked_fen', payment.amount, 'state', payment.state,
                                  'paid_at', payment.paid_at),
               false
        FROM payment
        WHERE payment.merchant_id = :merchant_id
          AND payment.paid_at >= :day_starts AND payment.paid_at < :day_ends
          AND NOT EXISTS (SELECT FROM statement_row said
                          WHERE said.out_trade_no = payment.out_trade_no
                            AND said.out_refund_no IS NULL)
          AND (:is_whole OR EXISTS (SELECT FROM asked
                                    WHERE asked.out_trade_no = payment.out_trade_no
                                      AND asked.out_refund_no = ''))
        """,
        # A refund that has moved on since the statement was made agrees with it.
        """
        INSERT INTO difference
        SELECT 'refund', judged.community_id, judged.payment_id, judged.our_id,
               judged.out_trade_no, judged.out_refund_no, coalesce(judged.refund_id, ''),
               jsonb_build_object('reason', judged.reason, 'provider_fen', judged.amount,
                                  'booked_fen', judged.booked, 'state', judged.state,
                                  'provider_state', judged.said_state,
                                  'out_refund_no', judged.out_refund_no),
               judged.reason = 'state'
                   AND judged.state IN ('approved', 'unknown', 'processing', 'abnormal')
        FROM (
            SELECT said.*, payment.community_id, payment.id AS payment_id, refund.id AS our_id,
                   refund.amount AS booked, refund.state,
                   coalesce(said.refund_state, 'done') AS said_state,
                   CASE WHEN refund.id IS NULL THEN 'missing_here'
                        WHEN refund.amount <> said.amount THEN 'amount'
                        WHEN refund.state = 'done' AND said.refund_state = 'closed'
                          OR refund.state = 'failed'
                             AND coalesce(said.refund_state, 'done') = 'done'
                          OR refund.state IN ('requested', 'rejected', 'approved', 'unknown')
                          OR refund.state IN ('processing', 'abnormal')
                             AND coalesce(said.refund_state, 'done') IN ('done', 'closed')
                          OR refund.state = 'processing' AND said.refund_state = 'abnormal'
                            THEN 'state' END AS reason
            FROM statement_row said
            LEFT JOIN provider_order ours ON ours.merchant_id = :merchant_id
                  AND ours.out_trade_no = said.out_trade_no
            LEFT JOIN payment ON payment.community_id = ours.community_id
                  AND payment.id = ours.payment_id
            LEFT JOIN refund ON refund.community_id = payment.community_id
                  AND refund.payment_id = payment.id
                  AND refund.out_refund_no = said.out_refund_no
            WHERE said.out_refund_no IS NOT NULL
        ) judged
        WHERE judged.reason IS NOT NULL
        """,
        """
        INSERT INTO difference
        SELECT 'refund', refund.community_id, payment.id, refund.id, payment.out_trade_no,
               refund.out_refund_no, coalesce(refund.refund_id, ''),
               jsonb_build_object('reason', 'missing_there', 'booked_fen', refund.amount,
                                  'state', refund.state, 'out_refund_no', refund.out_refund_no),
               false
        FROM refund
        JOIN payment ON payment.community_id = refund.community_id
         AND payment.id = refund.payment_id AND payment.merchant_id = :merchant_id
        WHERE refund.called_at >= :day_starts AND refund.called_at < :day_ends
          AND refund.state IN ('processing', 'abnormal', 'done')
          AND NOT EXISTS (SELECT FROM statement_row said
                          WHERE said.out_trade_no = payment.out_trade_no
                            AND said.out_refund_no = refund.out_refund_no)
          AND (:is_whole OR EXISTS (SELECT FROM asked
                                    WHERE asked.out_trade_no = payment.out_trade_no
                                      AND asked.out_refund_no = refund.out_refund_no))
        """,
    )
]

TOTALS = text(
    """
    SELECT count(*) AS rows,
           coalesce(sum(amount) FILTER (WHERE out_refund_no IS NULL), 0) AS provider,
           coalesce(sum(amount) FILTER (WHERE out_refund_no IS NOT NULL
                                          AND refund_state IS DISTINCT FROM 'closed'), 0)
               AS refunded,
           -- A refund that failed moved nothing, not even the fee it would have brought back.
           coalesce(sum(fee) FILTER (WHERE refund_state IS DISTINCT FROM 'closed'), 0) AS fees,
           -- A difference is of one row, unless it is of a row that is not there.
           count(*) - (SELECT count(*) FROM difference
                       WHERE kind <> 'missing_there'
                         AND data ->> 'reason' IS DISTINCT FROM 'missing_there') AS matched,
           (SELECT coalesce(sum(amount), 0) FROM payment
            WHERE merchant_id = :merchant_id AND state IN ('confirmed', 'reversed')
              AND paid_at >= :day_starts AND paid_at < :day_ends) AS booked,
           (SELECT coalesce(sum(refund.amount), 0) FROM refund
            JOIN payment ON payment.community_id = refund.community_id
             AND payment.id = refund.payment_id AND payment.merchant_id = :merchant_id
            WHERE refund.called_at >= :day_starts AND refund.called_at < :day_ends
              AND refund.state IN ('processing', 'abnormal', 'done')) AS booked_refunded
    FROM statement_row said
    """
)

HEALABLE = text(
    """
    SELECT kind, community_id, payment_id, refund_id, out_trade_no, out_refund_no, transaction_id,
           data
    FROM difference WHERE may_heal ORDER BY out_trade_no, out_refund_no LIMIT :limit
    """
)

_SAME = """
    discrepancy.merchant_id = :merchant_id
    AND discrepancy.out_trade_no = difference.out_trade_no
    AND discrepancy.out_refund_no = difference.out_refund_no
"""

ADOPT = text(
    f"""
    UPDATE discrepancy SET statement_on = :day FROM difference
    WHERE {_SAME} AND discrepancy.statement_on IS NULL AND discrepancy.closed_at IS NULL
    """  # noqa: S608  # constant text
)
"""What a callback brought to light and the statement shows too is one discrepancy, not two."""

WRITE = text(
    f"""
    WITH written AS (
        INSERT INTO discrepancy (merchant_id, community_id, kind, out_trade_no, out_refund_no,
                                 transaction_id, statement_on, data, found_at)
        SELECT DISTINCT ON (out_trade_no, out_refund_no, kind, transaction_id)
               :merchant_id, community_id, kind, out_trade_no, out_refund_no, transaction_id, :day,
               data, :now
        FROM difference
        WHERE NOT EXISTS (SELECT FROM discrepancy
                          WHERE {_SAME} AND discrepancy.closed_at IS NULL
                            AND discrepancy.statement_on = :day
                            AND discrepancy.kind IN ('unknown_order', 'wrong_currency',
                                                     'wrong_merchant', 'wrong_amount',
                                                     'wrong_payer'))
        ORDER BY out_trade_no, out_refund_no, kind, transaction_id
        ON CONFLICT (merchant_id, out_trade_no, out_refund_no, kind, transaction_id) DO UPDATE
        SET data = excluded.data, found_at = excluded.found_at, statement_on = :day,
            closed_at = NULL, close_reason = NULL, is_healed = false
        WHERE discrepancy.closed_at IS NOT NULL AND discrepancy.closed_by IS NULL
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608  # constant text
)

CLOSE_VANISHED = text(
    f"""
    UPDATE discrepancy SET closed_at = :now, close_reason = :vanished
    WHERE merchant_id = :merchant_id AND closed_at IS NULL AND kind <> 'funds'
      AND (statement_on = :day
           AND (:is_whole OR EXISTS (SELECT FROM asked
                                     WHERE asked.out_trade_no = discrepancy.out_trade_no
                                       AND asked.out_refund_no = discrepancy.out_refund_no))
           -- What was begun at midnight stands on the statement of the other day.
           OR (kind = 'missing_there' OR data ->> 'reason' = 'missing_there')
              AND EXISTS (SELECT FROM statement_row said
                          WHERE said.out_trade_no = discrepancy.out_trade_no
                            AND coalesce(said.out_refund_no, '') = discrepancy.out_refund_no))
      AND NOT EXISTS (SELECT FROM difference WHERE {_SAME})
    """  # noqa: S608  # constant text
)

WRITE_HEALED = text(
    """
    INSERT INTO discrepancy (merchant_id, community_id, kind, out_trade_no, out_refund_no,
                             transaction_id, statement_on, data, found_at, closed_at, close_reason,
                             is_healed)
    VALUES (:merchant_id, :community_id, :kind, :out_trade_no, :out_refund_no, :transaction_id,
            :day, CAST(:data AS jsonb), :now, :now, :booked_since, true)
    ON CONFLICT (merchant_id, out_trade_no, out_refund_no, kind, transaction_id) DO UPDATE
    SET closed_at = :now, close_reason = :booked_since, is_healed = true
    WHERE discrepancy.closed_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared. With `is_whole` false only the orders and refunds asked about."""

    merchant_id: int
    day: date
    is_whole: bool

    def parameters(self) -> dict[str, Any]:
        """For every statement here; the day is Beijing's."""
        starts = datetime.combine(self.day, time(), BEIJING)
        return {
            "merchant_id": self.merchant_id,
            "day": self.day,
            "day_starts": starts,
            "day_ends": starts + timedelta(days=1),
            "is_whole": self.is_whole,
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """A day's figures. `provider` and `refunded` are the provider's word, the booked ones ours;
    `matched` counts rows without a difference.
    """

    rows: int
    provider: Money
    booked: Money
    refunded: Money
    booked_refunded: Money
    fees: Money
    matched: int


@dataclass(frozen=True, slots=True)
class Healable:
    """A difference whose payment or refund the provider may be asked about."""

    kind: str
    community_id: int
    payment_id: int
    refund_id: int | None
    out_trade_no: str
    out_refund_no: str
    transaction_id: str
    data: dict[str, Any]


def load_statement(
    session: Session, rows: IO[bytes], asked: Sequence[tuple[str, str]] = ()
) -> None:
    """Take a statement, as `reconciliation.spool` wrote it, into this transaction.

    Args:
        asked: order and refund numbers the provider was asked about; the refund's empty for an
            order.
    """
    for statement in TABLES:
        session.execute(statement)
    rows.seek(0)
    with driver_of(session).cursor() as cursor, cursor.copy(COPY_ROWS) as copy:
        while block := rows.read(BLOCK_BYTES):
            copy.write(block)
    session.execute(ANALYSE)
    if asked:
        session.execute(
            NOTE_ASKED,
            {
                "orders": [order for order, _ in asked],
                "refunds": [refund for _, refund in asked],
            },
        )


def find_differences(session: Session, scope: Scope, *, limit: int) -> list[Healable]:
    """Compare what `load_statement` took in; returns those worth asking about, at most `limit`."""
    for statement in COMPARE:
        session.execute(statement, scope.parameters())
    rows = session.execute(HEALABLE, {"limit": limit}).mappings()
    return [Healable(**row) for row in rows]


def read_totals(session: Session, scope: Scope) -> Totals:
    """The figures of what was compared."""
    row = session.execute(TOTALS, scope.parameters()).one()
    return Totals(
        rows=row.rows,
        provider=Money(int(row.provider)),
        booked=Money(int(row.booked)),
        refunded=Money(int(row.refunded)),
        booked_refunded=Money(int(row.booked_refunded)),
        fees=Money(int(row.fees)),
        matched=row.matched,
    )


def write_differences(session: Session, scope: Scope, now: datetime) -> int:
    """Write the differences down and close those that vanished; returns how many are new. The same
    statement again changes nothing.
    """
    parameters = scope.parameters() | {"now": now, "vanished": VANISHED}
    session.execute(ADOPT, parameters)
    written = session.execute(WRITE, parameters).scalar_one()
    session.execute(CLOSE_VANISHED, parameters)
    close_alerts_of_closed(session, scope.merchant_id, now)
    return int(written)


def write_healed(
    session: Session, scope: Scope, healed: Healable, data: str, now: datetime
) -> None:
    """Keep a difference that was mended by asking: found and closed in one."""
    session.execute(
        WRITE_HEALED,
        scope.parameters()
        | {
            "kind": healed.kind,
            "community_id": healed.community_id,
            "out_trade_no": healed.out_trade_no,
            "out_refund_no": healed.out_refund_no,
            "transaction_id": healed.transaction_id,
            "data": data,
            "now": now,
            "booked_since": BOOKED_SINCE,
        },
    )
    close_alerts_of_closed(session, scope.merchant_id, now)
