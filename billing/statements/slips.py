"""Transfers a cashier booked by their slip before the bank's statement came: never booked twice."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.counter_tables import CounterPayment
from billing.db import id_array
from billing.errors import Conflict
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.statements.tables import BOOKED_ROWS, BankRow

DAYS_APART_MAX = 5
"""A transfer over a long weekend reaches the account days after its slip was shown."""
NUMBER_CHARACTERS_MIN = 6

_NUMBERS = re.compile(r"[0-9A-Z-]{6,64}")


@dataclass(frozen=True, slots=True)
class Slip:
    """A payment a cashier booked by a transfer slip, which no row of a statement stands for yet."""

    payment_id: int
    unit_id: int
    amount: Money
    paid_on: date
    number: str


def numbers_in(serial: str | None, remark: str) -> frozenset[str]:
    """What may be the number of a slip: the serial, and runs of digits and letters in a remark."""
    found = set(_NUMBERS.findall(remark.upper()))
    return frozenset(found | ({serial.upper()} if serial else set()))


def list_slips(
    session: Session, community_id: int, unit_ids: Collection[int], numbers: Collection[str]
) -> list[Slip]:
    """Slips of these homes or with these numbers, the oldest first."""
    taken = exists().where(
        BankRow.community_id == Payment.community_id, BankRow.payment_id == Payment.id
    )
    rows = session.execute(
        select(Payment, CounterPayment.number)
        .join(
            CounterPayment,
            (CounterPayment.community_id == Payment.community_id)
            & (CounterPayment.payment_id == Payment.id),
        )
        .where(
            Payment.community_id == community_id,
            Payment.channel == PaymentChannel.SLIP,
            Payment.state == PaymentState.CONFIRMED,
            or_(
                Payment.unit_id.in_(id_array(unit_ids)),
                func.upper(CounterPayment.number).in_(numbers),
            ),
            ~taken,
        )
        .order_by(Payment.id)
    )
    return [
        Slip(
            payment.id,
            payment.unit_id,
            payment.amount,
            business_date(payment.paid_at or payment.prepared_at),
            number.upper(),
        )
        for payment, number in rows
    ]


def list_debits(
    session: Session, community_id: int, unit_ids: Collection[int]
) -> frozenset[tuple[int, Money, date]]:
    """Home, amount and day of what the bank took from these homes by direct debit."""
    found = session.scalars(
        select(Payment).where(
            Payment.community_id == community_id,
            Payment.unit_id.in_(id_array(unit_ids)),
            Payment.channel == PaymentChannel.DIRECT_DEBIT,
            Payment.state == PaymentState.CONFIRMED,
        )
    )
    return frozenset(
        (one.unit_id, one.amount, business_date(one.paid_at or one.prepared_at)) for one in found
    )


def may_be_debit(
    debits: Collection[tuple[int, Money, date]], *, unit_id: int, amount: Money, value_on: date
) -> bool:
    """Whether a movement may be what a direct debit brought, and not a transfer of the owner's."""
    apart = timedelta(days=DAYS_APART_MAX)
    return any(
        (home, taken) == (unit_id, amount) and abs(day - value_on) <= apart
        for home, taken, day in debits
    )


def refuse_booked(session: Session, payment: Payment, number: str) -> None:
    """Refuse a slip of a transfer that came with the bank's statement before: the same number and
    amount, or the same home and amount on a day that is near.

    Raises:
        Conflict: naming the row.
    """
    if payment.channel is not PaymentChannel.SLIP:
        return
    paid_on = business_date(payment.paid_at or payment.prepared_at)
    days = timedelta(days=DAYS_APART_MAX)
    is_numbered = func.upper(BankRow.serial) == number.upper()
    is_near = and_(
        BankRow.unit_id == payment.unit_id,
        BankRow.value_on.between(paid_on - days, paid_on + days),
    )
    row = session.scalar(
        select(BankRow.id)
        .join(
            Payment,
            (Payment.community_id == BankRow.community_id) & (Payment.id == BankRow.payment_id),
        )
        .where(
            BankRow.community_id == payment.community_id,
            BankRow.state.in_(BOOKED_ROWS),
            BankRow.amount == payment.amount,
            Payment.state == PaymentState.CONFIRMED,
            or_(is_numbered, is_near) if len(number) >= NUMBER_CHARACTERS_MIN else is_near,
        )
        .limit(1)
    )
    if row is not None:
        raise Conflict(
            f"slip {number} is booked already, as row {row} of the bank's statement; another"
            " transfer comes with the next statement"
        )


def find_slip(
    slips: Sequence[Slip],
    *,
    amount: Money,
    value_on: date,
    unit_ids: Collection[int],
    numbers: Collection[str],
) -> Slip | None:
    """The slip that is this movement: by its number and amount, else by home, amount and a day that
    is near. None when there is none, or several homes have one.
    """
    same = [slip for slip in slips if slip.amount == amount]
    numbered = [
        slip
        for slip in same
        if slip.number in numbers and len(slip.number) >= NUMBER_CHARACTERS_MIN
    ]
    if numbered:
        return numbered[0]
    apart = timedelta(days=DAYS_APART_MAX)
    near = [
        slip for slip in same if slip.unit_id in unit_ids and abs(slip.paid_on - value_on) <= apart
    ]
    return near[0] if len({slip.unit_id for slip in near}) == 1 else None
