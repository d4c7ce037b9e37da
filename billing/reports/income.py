"""What came in and went out: by day and channel; what was waived, corrected and refunded."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Date, Select, cast, func, select, text
from sqlalchemy.orm import Session

from billing.business_day import BEIJING
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState

NO_MONEY = (PaymentChannel.PREPAID, PaymentChannel.IMPORTED)
"""Channels by which nothing comes in: owners' money we had already, and what is history."""

WENT_BACK = text(
    """
    SELECT coalesce(sum(amount), 0) AS amount, count(*) AS pieces FROM refund
    WHERE community_id = :community_id AND state = 'done'
      AND done_at >= CAST(:from_on AS timestamp) AT TIME ZONE 'Asia/Shanghai'
      AND done_at < CAST(:to_on AS timestamp) AT TIME ZONE 'Asia/Shanghai'
    """
)

CONCEDED = text(
    """
    WITH void AS (
        SELECT bill_id, CAST(voided_at AT TIME ZONE 'Asia/Shanghai' AS date) AS on_day
        FROM bill_void
        WHERE community_id = :community_id
          AND voided_at < CAST(:to_on AS timestamp) AT TIME ZONE 'Asia/Shanghai'
    ),
    change AS (
        SELECT id, kind, amount, bill_id, bill_line_id, effective_on, reverses_id FROM adjustment
        WHERE community_id = :community_id AND state = 'approved' AND effective_on < :to_on
    ),
    moved AS (
        SELECT change.kind, change.amount, change.effective_on AS on_day,
               change.reverses_id IS NULL AND undone.id IS NULL AND void.bill_id IS NULL AS stands
        FROM change
        LEFT JOIN void ON void.bill_id = change.bill_id
        LEFT JOIN change undone ON undone.reverses_id = change.id
        UNION ALL
        SELECT change.kind, -change.amount, greatest(void.on_day, change.effective_on), false
        FROM change JOIN void ON void.bill_id = change.bill_id
    )
    SELECT kind, sum(amount) AS amount, count(*) FILTER (WHERE stands) AS pieces
    FROM moved WHERE on_day >= :from_on GROUP BY kind
    """
)
"""Voiding a bill takes back all that was changed on it, on the day `roll_up_void` takes it too."""


@dataclass(frozen=True, slots=True)
class Received:
    """Money that came on a day by a channel, fen, in so many payments."""

    day: date
    channel: PaymentChannel
    amount: Money
    payments: int


@dataclass(frozen=True, slots=True)
class Total:
    """An amount, fen, in so many pieces."""

    amount: Money
    count: int


@dataclass(frozen=True, slots=True)
class Conceded:
    """What was not taken, or given back.

    Attributes:
        waived, corrected: as `conceded` says; negative lowers what is owed.
        refunded: what went back to payers.
    """

    waived: Total
    corrected: Total
    refunded: Total


def received_rows(
    community_id: int, from_on: date, to_on: date
) -> Select[tuple[int, date, PaymentChannel, int, Money]]:
    """SELECT of the money that came on the days [from_on, to_on), by day and channel: `key` (their
    order), `day`, `channel`, `payments`, `amount`. Refunds are not taken off.

    A payment belongs to the Beijing date on which it was paid; one the cashier took back never was.
    What was paid out of prepayments, and imported history, is no income of the day.
    """
    grouped = (
        select(
            cast(func.timezone(str(BEIJING), Payment.paid_at), Date).label("day"),
            Payment.channel,
            func.count().label("payments"),
            func.sum(Payment.amount).label("amount"),
        )
        .where(
            Payment.community_id == community_id,
            Payment.state == PaymentState.CONFIRMED,
            Payment.channel.not_in(NO_MONEY),
            Payment.paid_at >= datetime.combine(from_on, time(), BEIJING),
            Payment.paid_at < datetime.combine(to_on, time(), BEIJING),
        )
        .group_by("day", Payment.channel)
        .subquery("grouped")
    )
    order = func.row_number().over(order_by=(grouped.c.day, grouped.c.channel))
    columns: tuple[Any, ...] = (
        order.label("key"),
        grouped.c.day,
        grouped.c.channel,
        grouped.c.payments,
        grouped.c.amount,
    )
    return select(*columns)


def income_by_day(
    session: Session, community_id: int, from_on: date, to_on: date
) -> list[Received]:
    """The rows of `received_rows`, in order of days."""
    rows = session.execute(received_rows(community_id, from_on, to_on).order_by("key"))
    return [Received(row.day, row.channel, row.amount, row.payments) for row in rows]


def conceded(session: Session, community_id: int, from_on: date, to_on: date) -> Conceded:
    """What was waived, corrected and refunded on the days [from_on, to_on).

    Amount of waivers and of corrections: what the journal moved for them on these days, so that of
    waivers is the movement of `expenses:waivers`: those approved, each on the day it counts from,
    less those taken back or gone with a voided bill, each on the day that happened. What was
    granted earlier and taken back within the days is in the amount too.
    Count: those granted within the days that still stood at their end; what takes back is no piece.
    Neither changes when one of them is taken back later.
    Refunds: those that arrived within the days.
    """
    days = {"community_id": community_id, "from_on": from_on, "to_on": to_on}
    kinds = {row.kind: row for row in session.execute(CONCEDED, days)}
    back = session.execute(WENT_BACK, days).one()

    def total(kind: str) -> Total:
        row = kinds.get(kind)
        return Total(Money(int(row.amount)), row.pieces) if row else Total(Money(0), 0)

    return Conceded(
        total("waiver"), total("adjustment"), Total(Money(int(back.amount)), back.pieces)
    )
