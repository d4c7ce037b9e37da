"""Payments, refunds, direct debits and what prepayments paid, as notices speak of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from billing.bills import Bill, BillState, issued_bills
from billing.db import key_array
from billing.direct_debit.tables import DirectDebitBatch, DirectDebitMandate, DirectDebitOrder
from billing.money import ZERO, Money
from billing.payment_tables import (
    BOOKED_STATES,
    OPEN_STATES,
    Payment,
    PaymentAllocation,
    PaymentChannel,
    PaymentState,
    PaymentTarget,
    Receipt,
)
from billing.prepayments import list_balances
from billing.refund_tables import Refund, RefundStage
from notify.unseen import Key


@dataclass(frozen=True, slots=True)
class PaidPayment:
    """A payment that was booked, with its receipt."""

    amount: Money
    paid_at: datetime
    receipt: str
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class EndedRefund:
    """A refund that came to an end, and of which payment it is."""

    amount: Money
    ended_at: datetime
    stage: RefundStage
    by: PaymentChannel
    released: Money


@dataclass(frozen=True, slots=True)
class Debit:
    """Money the bank is asked to take, or did not take.

    Attributes:
        sent_from: the bank is asked on this day or later.
        account_tail: last digits of the account.
        is_open: the bank may still take it.
        reason: why it did not, in the bank's words.
        owed: what is still owed on the bills it was for.
    """

    amount: Money
    sent_from: date
    account_tail: str
    is_open: bool
    reason: str
    owed: Money


def read_payments(session: Session, keys: Collection[Key]) -> dict[Key, PaidPayment]:
    """Those of these payments that were booked and have a receipt."""
    if not keys:
        return {}
    found = session.execute(
        select(Payment, Receipt)
        .join(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(
            tuple_(Payment.community_id, Payment.id).in_(key_array(set(keys))),
            Payment.state.in_(BOOKED_STATES),
        )
    )
    return {
        (payment.community_id, payment.id): PaidPayment(
            payment.amount,
            receipt.issued_at,
            receipt.number,
            payment.state is PaymentState.REVERSED,
        )
        for payment, receipt in found
    }


def read_refunds(session: Session, keys: Collection[Key]) -> dict[Key, EndedRefund]:
    """Those of these refunds that came to an end."""
    if not keys:
        return {}
    found = session.execute(
        select(Refund, Payment.channel)
        .join(
            Payment,
            (Payment.community_id == Refund.community_id) & (Payment.id == Refund.payment_id),
        )
        .where(tuple_(Refund.community_id, Refund.id).in_(key_array(set(keys))))
    )
    return {
        (refund.community_id, refund.id): EndedRefund(
            refund.amount, refund.ended_at, refund.state, channel, refund.released
        )
        for refund, channel in found
        if refund.ended_at is not None
    }


def read_debits(session: Session, keys: Collection[Key]) -> dict[Key, Debit]:
    """Orders to the bank, by their payments."""
    if not keys:
        return {}
    found = session.execute(
        select(
            Payment,
            DirectDebitOrder.reason,
            DirectDebitBatch.sent_from,
            DirectDebitMandate.account_tail,
        )
        .join(
            DirectDebitOrder,
            (DirectDebitOrder.community_id == Payment.community_id)
            & (DirectDebitOrder.payment_id == Payment.id),
        )
        .join(
            DirectDebitBatch,
            (DirectDebitBatch.community_id == Payment.community_id)
            & (DirectDebitBatch.id == DirectDebitOrder.batch_id),
        )
        .join(
            DirectDebitMandate,
            (DirectDebitMandate.community_id == Payment.community_id)
            & (DirectDebitMandate.id == DirectDebitOrder.mandate_id),
        )
        .where(tuple_(Payment.community_id, Payment.id).in_(key_array(set(keys))))
    )
    owed = _owed_on_targets(session, keys)
    return {
        (payment.community_id, payment.id): Debit(
            payment.amount,
            sent_from,
            tail or "",
            payment.state in OPEN_STATES,
            reason or "",
            owed.get((payment.community_id, payment.id), ZERO),
        )
        for payment, reason, sent_from, tail in found
    }


def read_deducted(session: Session, bills: Collection[BillState]) -> dict[Key, Money]:
    """Those of these bills that the prepayment of their home paid whole, with what is left of it
    now.
    """
    settled = {
        (bill.community_id, bill.id): bill
        for bill in bills
        if bill.outstanding == ZERO and bill.paid > ZERO
    }
    if not settled:
        return {}
    parts = session.execute(
        select(
            PaymentAllocation.community_id,
            PaymentAllocation.bill_id,
            func.sum(PaymentAllocation.amount).label("amount"),
        )
        .join(
            Payment,
            (Payment.community_id == PaymentAllocation.community_id)
            & (Payment.id == PaymentAllocation.payment_id),
        )
        .where(
            tuple_(PaymentAllocation.community_id, PaymentAllocation.bill_id).in_(
                key_array(set(settled))
            ),
            Payment.channel == PaymentChannel.PREPAID,
        )
        .group_by(PaymentAllocation.community_id, PaymentAllocation.bill_id)
    )
    whole = [
        bill for row in parts if (bill := settled[row.community_id, row.bill_id]).paid == row.amount
    ]
    left = list_balances(session, {(bill.community_id, bill.unit_id) for bill in whole})
    return {
        (bill.community_id, bill.id): left.get((bill.community_id, bill.unit_id), ZERO)
        for bill in whole
    }


def _owed_on_targets(session: Session, keys: Collection[Key]) -> dict[Key, Money]:
    """What is owed on the bills these payments are for, by payment."""
    bills = issued_bills()
    query = (
        bills.join(
            PaymentTarget,
            (PaymentTarget.community_id == Bill.community_id) & (PaymentTarget.bill_id == Bill.id),
        )
        .where(
            tuple_(PaymentTarget.community_id, PaymentTarget.payment_id).in_(key_array(set(keys)))
        )
        .add_columns(PaymentTarget.payment_id)
    )
    owed: dict[Key, Money] = {}
    for row in session.execute(query):
        key = (row.community_id, row.payment_id)
        owed[key] = owed.get(key, ZERO) + max(row.amount + row.adjusted - row.paid, ZERO)
    return owed
