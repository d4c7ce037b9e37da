"""Orders the bank is not asked for after all: between the day a batch is made and the day it is
sent, bills are paid, mandates end, owners object.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import BillState, list_unpaid
from billing.db import id_array
from billing.direct_debit.tables import (
    DirectDebitBatch,
    DirectDebitMandate,
    DirectDebitOrder,
    MandateState,
    OrderState,
)
from billing.disputes import disputed_bills
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentTarget
from billing.payments import lock_homes, record_closed

Orders = Sequence[tuple[DirectDebitOrder, Payment]]


class Withdrawn(LabelEnum):
    """Why an order was taken out of its batch before the bank had it."""

    MANDATE_ENDED = "mandate_ended", "委托已终止"
    OWES_LESS = "owes_less", "账单已缴或已减少"
    DISPUTED = "disputed", "账单有异议，尚未答复"


def undisputed(session: Session, community_id: int, bills: Sequence[BillState]) -> list[BillState]:
    """Those of these bills that nobody disputes: what is disputed is not taken from an account."""
    disputed = disputed_bills(session, community_id, {bill.id for bill in bills})
    return [bill for bill in bills if bill.id not in disputed]


def find_stale(session: Session, batch: DirectDebitBatch, orders: Orders) -> dict[int, Withdrawn]:
    """Which orders of a batch may not be taken any more, by serial number: the mandate ended, the
    bills owe less than was ordered, or one of them is being disputed.

    The caller has locked the batch and its payments; the homes are locked here until he commits, so
    that nothing is paid between this and what he does with it.
    """
    waiting = [pair for pair in orders if pair[0].state is OrderState.WAITING]
    homes = {payment.unit_id for _, payment in waiting}
    lock_homes(session, batch.community_id, homes)
    ended = set(
        session.scalars(
            select(DirectDebitMandate.id).where(
                DirectDebitMandate.community_id == batch.community_id,
                DirectDebitMandate.id.in_(id_array({order.mandate_id for order, _ in waiting})),
                DirectDebitMandate.state != MandateState.ACTIVE,
            )
        )
    )
    ordered = _ordered(session, batch.community_id, waiting)
    unpaid = list_unpaid(session, batch.community_id, homes)
    owed = {bill.id: bill.outstanding for bill in unpaid}
    disputed = disputed_bills(session, batch.community_id, owed)
    stale = {}
    for order, payment in waiting:
        bills = ordered[payment.id]
        if order.mandate_id in ended:
            stale[order.no] = Withdrawn.MANDATE_ENDED
        elif any(owed.get(bill_id, ZERO) < amount for bill_id, amount in bills.items()):
            stale[order.no] = Withdrawn.OWES_LESS
        elif not disputed.isdisjoint(bills):
            stale[order.no] = Withdrawn.DISPUTED
    return stale


def _ordered(session: Session, community_id: int, orders: Orders) -> Mapping[int, dict[int, Money]]:
    """Payment → bill → what is to be taken for it."""
    rows = session.execute(
        select(PaymentTarget.payment_id, PaymentTarget.bill_id, PaymentTarget.amount).where(
            PaymentTarget.community_id == community_id,
            PaymentTarget.payment_id.in_(id_array({payment.id for _, payment in orders})),
        )
    )
    found: dict[int, dict[int, Money]] = defaultdict(dict)
    for row in rows:
        found[row.payment_id][row.bill_id] = row.amount
    return found


def withdraw_stale(
    session: Session, batch: DirectDebitBatch, orders: Orders, now: datetime
) -> dict[int, Withdrawn]:
    """Cancel the orders `find_stale` finds, with the reason, and close their payments: what is
    still owed may be paid otherwise, or ordered again. Again it changes nothing new.
    """
    stale = find_stale(session, batch, orders)
    for order, payment in orders:
        if order.no in stale:
            record_closed(session, payment, now)
            order.state, order.reason = OrderState.CANCELLED, stale[order.no].value
    session.flush()
    return stale
