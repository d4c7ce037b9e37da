"""A cashier at the counter: 周收银's shift, and what is taken in it."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.counter import cancel_payment, take_payment
from billing.counter_tables import CashierShift
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel
from billing.people import get_staff
from billing.shifts import open_shift
from tests.conftest import NOW, World

FLOAT = Money(200_00)


def shift_of(
    session: Session, world: World, login: str = "zhou", now: datetime = NOW
) -> CashierShift:
    """The open shift of a cashier; opened with 200 yuan if there is none."""
    cashier = get_staff(session, login)
    found = session.scalar(
        select(CashierShift).where(
            CashierShift.community_id == world.community.id,
            CashierShift.cashier_id == cashier.id,
            CashierShift.closed_at.is_(None),
        )
    )
    return found or open_shift(session, world.community.id, cashier, opening_float=FLOAT, now=now)


def take(
    session: Session,
    world: World,
    room: str,
    yuan: str,
    number: str = "S1",
    *,
    channel: PaymentChannel = PaymentChannel.CASH,
    designated: Mapping[int, Money] | None = None,
    bank: str | None = None,
    paid_on: date | None = None,
    login: str = "zhou",
    now: datetime = NOW,
) -> Payment:
    """Money taken for a home in the cashier's shift."""
    return take_payment(
        session,
        shift_of(session, world, login, now),
        unit_id=world.unit(room).id,
        amount=Money.from_yuan(yuan),
        channel=channel,
        number=number,
        designated=designated,
        bank=bank,
        paid_on=paid_on,
        now=now,
    )


def cancel(
    session: Session,
    payment: Payment,
    *,
    login: str = "zhou",
    reason: str = "多收",
    now: datetime = NOW,
) -> None:
    """Take it back."""
    cancel_payment(session, payment, by=get_staff(session, login), reason=reason, now=now)
