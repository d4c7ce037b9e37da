"""What a cashier needs before he takes money: what a sum is for, a number for the paper, what the
home is already paying elsewhere. Nothing here writes.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import get_bills
from billing.business_day import business_date
from billing.counter_tables import CounterPayment
from billing.errors import InvalidInput
from billing.money import ZERO, Money
from billing.payment_tables import OPEN_STATES, Payment, PaymentChannel, PaymentState
from billing.payments import ORDER_LIFE

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what looks alike on paper."""

MARK_CHARACTERS = 5


def new_paper_number(now: datetime) -> str:
    """A number for a paper that has none of its own, e.g. `G261123-7KX2P`. Drawn with the form, so
    that sending the form twice takes the money once.
    """
    mark = "".join(secrets.choice(ALPHABET) for _ in range(MARK_CHARACTERS))
    return f"G{business_date(now):%y%m%d}-{mark}"


def spread(
    session: Session, community_id: int, bill_ids: Collection[int], amount: Money
) -> Mapping[int, Money]:
    """An amount spread over these bills, the oldest first; what is left of it is in none.

    Raises:
        NotFound: no such bill.
        InvalidInput: a bill would get nothing.
    """
    designated, left = {}, amount
    for bill in get_bills(session, community_id, set(bill_ids)):
        part = min(left, bill.outstanding)
        if part <= ZERO:
            raise InvalidInput("bill", f"{bill.id} would get nothing of {amount.yuan}")
        designated[bill.id] = part
        left -= part
    return designated


def list_orders_under_way(
    session: Session, community_id: int, unit_id: int, now: datetime
) -> list[Payment]:
    """Payments for a home that a provider may still bring, the newest first."""
    return list(
        session.scalars(
            select(Payment)
            .where(
                Payment.community_id == community_id,
                Payment.unit_id == unit_id,
                Payment.merchant_id.is_not(None),
                Payment.state.in_(OPEN_STATES),
                Payment.prepared_at > now - ORDER_LIFE,
            )
            .order_by(Payment.prepared_at.desc(), Payment.id.desc())
        )
    )


def find_taken_before(
    session: Session,
    community_id: int,
    unit_id: int,
    *,
    amount: Money,
    channel: PaymentChannel,
    number: str,
) -> Payment | None:
    """This very payment, when its form was sent before and answered too late for somebody's
    patience: the same paper, home, amount and way, and not cancelled.
    """
    return session.scalar(
        select(Payment)
        .join(
            CounterPayment,
            (CounterPayment.community_id == Payment.community_id)
            & (CounterPayment.payment_id == Payment.id),
        )
        .where(
            CounterPayment.community_id == community_id,
            CounterPayment.number == number,
            Payment.unit_id == unit_id,
            Payment.amount == amount,
            Payment.channel == channel,
            Payment.state == PaymentState.CONFIRMED,
        )
    )
