"""What payers do: a reliable one who stopped, money that came twice, or in many parts."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, Severity
from billing.insight.finding import Finding
from billing.money import Money

LATE_DAYS = 10
"""So long past the due date somebody has not merely forgotten."""

LATE_BILLS_MAX = 3
BILLS_MIN, ON_TIME_MIN = 5, 0.85
"""Reliable: so many bills in the year before, such a share of them paid by their due date."""

RECENT_DAYS = 35
TWICE_WITHIN_DAYS = 3
PARTS_MIN = 4

STOPPED = text(
    """
    WITH late AS (
        SELECT unit_id, count(*) AS bills, min(due_on) AS since, sum(owed) AS owed
        FROM (SELECT unit_id, bill_id, due_on, sum(amount) AS owed FROM owed_move
              WHERE community_id = :community_id AND due_on <= :late_on
              GROUP BY 1, 2, 3 HAVING sum(amount) > 0) bill
        GROUP BY unit_id HAVING count(*) <= :bills_max
    ),
    before AS (
        SELECT late.unit_id, bill.id, chunk.due_on,
               (SELECT max(effective_on) FROM payment_allocation part
                WHERE part.community_id = :community_id AND part.bill_id = bill.id) AS paid_on
        FROM late
        JOIN bill ON bill.community_id = :community_id AND bill.unit_id = late.unit_id
        JOIN bill_run_chunk chunk ON chunk.community_id = :community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
        WHERE chunk.due_on < late.since AND chunk.due_on >= late.since - 366 AND bill.amount > 0
          AND NOT EXISTS (SELECT FROM bill_void void WHERE void.community_id = :community_id
                            AND void.bill_id = bill.id)
    )
    SELECT late.unit_id, unit.room, late.bills, late.since, late.owed, history.bills AS past,
           history.on_time
    FROM late
    JOIN (SELECT unit_id, count(*) AS bills, count(*) FILTER (WHERE paid_on <= due_on) AS on_time
          FROM before GROUP BY unit_id) history USING (unit_id)
    JOIN unit ON unit.community_id = :community_id AND unit.id = late.unit_id
    WHERE history.bills >= :bills_min AND history.on_time >= history.bills * :on_time_min
    ORDER BY late.unit_id
    """
)

TWICE = text(
    """
    SELECT later.id, later.unit_id, unit.room, later.amount, first.paid_at AS first_at,
           later.paid_at
    FROM payment later
    JOIN payment first ON first.community_id = later.community_id
     AND first.unit_id = later.unit_id AND first.amount = later.amount
     AND first.state = 'confirmed' AND first.channel <> 'prepaid'
     AND (first.paid_at, first.id) < (later.paid_at, later.id)
     AND first.paid_at > later.paid_at - make_interval(days => :within)
    JOIN unit ON unit.community_id = later.community_id AND unit.id = later.unit_id
    WHERE later.community_id = :community_id AND later.state = 'confirmed'
      AND later.channel NOT IN ('prepaid', 'imported')
      AND later.paid_at > CAST(:since AS timestamp) AT TIME ZONE 'Asia/Shanghai'
      -- Nothing, or next to nothing, was owed any more: it became a prepayment.
      AND (SELECT coalesce(sum(part.amount), 0) FROM payment_allocation part
           WHERE part.community_id = later.community_id AND part.payment_id = later.id) * 2
          < later.amount
      AND NOT EXISTS (SELECT FROM refund WHERE refund.community_id = later.community_id
                        AND refund.payment_id = later.id AND refund.state = 'done')
    ORDER BY later.id
    """
)

IN_PARTS = text(
    """
    SELECT payment.unit_id, unit.room, payment.channel, count(*) AS parts,
           sum(payment.amount) AS amount,
           CAST(payment.paid_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
    FROM payment
    JOIN unit ON unit.community_id = payment.community_id AND unit.id = payment.unit_id
    WHERE payment.community_id = :community_id AND payment.state = 'confirmed'
      AND payment.channel NOT IN ('prepaid', 'imported')
      AND payment.paid_at > CAST(:since AS timestamp) AT TIME ZONE 'Asia/Shanghai'
    GROUP BY payment.unit_id, unit.room, payment.channel, day
    HAVING count(*) >= :parts_min
    ORDER BY payment.unit_id, day
    """
)


def find_stopped(session: Session, community_id: int, today: date) -> list[Finding]:
    """Homes that paid nearly every bill of a year in time and owe for ten days now."""
    rows = session.execute(
        STOPPED,
        {
            "community_id": community_id,
            "late_on": today - timedelta(days=LATE_DAYS),
            "bills_max": LATE_BILLS_MAX,
            "bills_min": BILLS_MIN,
            "on_time_min": ON_TIME_MIN,
        },
    )
    return [
        Finding(
            AlertKind.PAYER_STOPPED,
            Severity.MEDIUM,
            f"reliable payer {row.unit_id} late since {row.since}",
            {
                "room": row.room,
                "past": row.past,
                "on_time": row.on_time,
                "since": row.since.isoformat(),
                "owed": Money(int(row.owed)).yuan,
            },
            row.unit_id,
        )
        for row in rows
    ]


def find_paid_twice(session: Session, community_id: int, today: date) -> list[Finding]:
    """The same amount within three days for a home that owed it once."""
    return [
        Finding(
            AlertKind.PAID_TWICE,
            Severity.MEDIUM,
            f"payment {row.id} repeats another",
            {"room": row.room, "amount": Money(row.amount).yuan, "day": row.paid_at.isoformat()},
            row.unit_id,
        )
        for row in _recent(session, TWICE, community_id, today, within=TWICE_WITHIN_DAYS)
    ]


def find_paid_in_parts(session: Session, community_id: int, today: date) -> list[Finding]:
    """Four or more payments of a home by one channel on one day."""
    return [
        Finding(
            AlertKind.PAID_IN_PARTS,
            Severity.LOW,
            f"home {row.unit_id} paid in parts on {row.day} by {row.channel}",
            {
                "room": row.room,
                "day": row.day.isoformat(),
                "parts": row.parts,
                "amount": Money(int(row.amount)).yuan,
            },
            row.unit_id,
        )
        for row in _recent(session, IN_PARTS, community_id, today, parts_min=PARTS_MIN)
    ]


def _recent(
    session: Session, statement: TextClause, community_id: int, today: date, **bounds: int
) -> Sequence[Row[Any]]:
    since = today - timedelta(days=RECENT_DAYS)
    parameters = {"community_id": community_id, "since": since, **bounds}
    return session.execute(statement, parameters).all()
