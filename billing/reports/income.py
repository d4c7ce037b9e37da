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
    SELECT kind, sum(amount) AS amount, count(*) AS pieces FROM adjustment
    WHERE community_id = :community_id AND state = 'approved'
      AND effective_on >= :from_on AND effective_on < :to_on
    GROUP BY kind
    """
)


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
        waived, corrected: approved, less those taken back; negative lowers what is owed.
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
    """Waivers and corrections that count from a day in [from_on, to_on), and refunds that arrived
    then.
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
