"""Money another system received for us (a parking gate, a head office's till), booked as told.

The other system names each payment by a key of its own; the same key again books nothing.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from billing.booking import book
from billing.business_day import BEIJING, business_date
from billing.counter import AMOUNT_MAX
from billing.errors import Conflict, InvalidInput
from billing.money import ZERO, Money
from billing.owed_lines import list_own_unpaid
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import (
    OUTSIDE_PREFIX,
    check_designation,
    list_targets,
    lock_home,
    refuse_in_flight,
    write_targets,
)
from billing.property import Unit

AGE_MAX = timedelta(days=366)
"""Money older than a year is a mistyped date."""


def record_outside(
    session: Session,
    unit: Unit,
    *,
    system_id: int,
    key: str,
    amount: Money,
    designated: Mapping[int, Money] | None,
    paid_on: date | None,
    now: datetime,
) -> tuple[Payment, bool]:
    """Book a payment that another system received; returns also whether it is new.

    Called again with the same key and the same facts it books nothing, also when both calls come
    at once.

    Args:
        system_id: of its token; keys of two systems may be the same.
        designated: bill id → amount, the rest a prepayment; None: the oldest bills first, the rest
            a prepayment (民法典 560/561).
        paid_on: when the payer paid; by default today.

    Raises:
        InvalidInput: an amount not above zero or absurd, less than is designated, more for a bill
            than is owed on it, a date to come or over a year ago.
        NotFound: a bill that is not an issued bill of this home.
        Conflict: the key stands for another payment, or for one that was taken back.
        InFlight: another open payment is for one of these bills.
    """
    if not ZERO < amount <= AMOUNT_MAX:
        raise InvalidInput("amount_fen", f"{amount.yuan} is not an amount that can be received")
    paid_on = _paid_on(paid_on, now)
    number = f"{OUTSIDE_PREFIX}{system_id}/{key}"
    lock_home(session, unit.community_id, unit.id)
    known = session.scalar(
        select(Payment).where(
            Payment.community_id == unit.community_id, Payment.out_trade_no == number
        )
    )
    if known is not None:
        _refuse_another(session, known, unit, amount, designated)
        return known, False
    _check_wishes(session, unit, amount, designated)
    payment = _insert(session, unit, number, amount, _at(paid_on, now), designated, now)
    write_targets(session, unit.community_id, payment.id, designated or {})
    book(session, payment, now)
    return payment, True


def _paid_on(paid_on: date | None, now: datetime) -> date:
    today = business_date(now)
    if paid_on is not None and not today - AGE_MAX <= paid_on <= today:
        raise InvalidInput("paid_on", f"{paid_on} is to come, or over a year before {today}")
    return paid_on or today


def _at(paid_on: date, now: datetime) -> datetime:
    """Of an earlier day only the date is known."""
    if paid_on == business_date(now):
        return now
    return datetime.combine(paid_on, time(12), BEIJING)


def _check_wishes(
    session: Session, unit: Unit, amount: Money, designated: Mapping[int, Money] | None
) -> None:
    if designated is None:
        owed = [bill.id for bill in list_own_unpaid(session, unit.community_id, [unit.id])]
    else:
        owed = list(designated)
        prepaid = amount - sum(designated.values(), ZERO)
        if prepaid < ZERO:
            raise InvalidInput("bills", f"are for more than the payment of {amount.yuan}")
        check_designation(session, unit.community_id, unit.id, designated, prepaid)
    refuse_in_flight(session, unit.community_id, unit.id, owed)


def _insert(
    session: Session,
    unit: Unit,
    number: str,
    amount: Money,
    paid_at: datetime,
    designated: Mapping[int, Money] | None,
    now: datetime,
) -> Payment:
    """Another home may be using the key at this moment; its row decides."""
    payment: Payment | None = session.scalar(
        upsert(Payment)
        .values(
            community_id=unit.community_id,
            out_trade_no=number,
            unit_id=unit.id,
            channel=PaymentChannel.EXTERNAL,
            state=PaymentState.CONFIRMED,
            amount=amount,
            is_designated=designated is not None,
            prepared_at=now,
            confirmed_at=now,
            paid_at=paid_at,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "out_trade_no"])
        .returning(Payment)
    )
    if payment is None:
        raise _used(number)
    return payment


def _refuse_another(
    session: Session,
    known: Payment,
    unit: Unit,
    amount: Money,
    designated: Mapping[int, Money] | None,
) -> None:
    wanted = (unit.id, amount, designated is not None, dict(designated or {}))
    targets = list_targets(session, known)
    if (known.unit_id, known.amount, known.is_designated, targets) != wanted:
        raise _used(known.out_trade_no)


def _used(number: str) -> Conflict:
    return Conflict(f"number {number} stands for another payment; use another key")
