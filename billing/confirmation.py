"""From a provider's word to the books: the only road, and it is walked once per payment.

Whether the word came by callback, by query or by statement makes no difference.
"""

from datetime import datetime
from enum import Enum

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from billing.allocation import Allocation, OpenLine, allocate
from billing.bills import list_lines, list_unpaid
from billing.business_day import business_date
from billing.channels.base import ProviderAnswer, ProviderState
from billing.closing import first_open_day
from billing.errors import NotFound
from billing.facts import FactKind, record
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.merchants import MerchantAccount, ProviderOrder
from billing.money import ZERO
from billing.payment_tables import Payment, PaymentAllocation, PaymentState, Receipt
from billing.payments import list_targets, lock_home
from billing.people import Follower
from billing.property import Community
from billing.reconciliation import DiscrepancyKind, record_discrepancy


class Outcome(Enum):
    """What `confirm` did."""

    BOOKED = "booked"
    ALREADY_BOOKED = "already_booked"
    NOT_PAID = "not_paid"
    DISCREPANCY = "discrepancy"


def confirm(
    session: Session, merchant: MerchantAccount, answer: ProviderAnswer, now: datetime
) -> Outcome:
    """Book a payment the provider says was made. Safe to call any number of times, from anywhere.

    An answer about an unknown order, another merchant, amount or payer, or a second transaction
    for a booked number becomes a Discrepancy and moves nothing. Money for a number we had closed is
    booked: it arrived.
    """
    if answer.state is not ProviderState.PAID:
        return Outcome.NOT_PAID
    order = session.get(ProviderOrder, (merchant.id, answer.out_trade_no))
    payment = None
    if order is not None:
        payment = session.scalar(
            select(Payment)
            .where(Payment.community_id == order.community_id, Payment.id == order.payment_id)
            .with_for_update()
        )
    objection = _objection(session, merchant, payment, answer)
    if objection is not None:
        record_discrepancy(
            session,
            objection,
            merchant_id=merchant.id,
            community_id=order.community_id if order else None,
            out_trade_no=answer.out_trade_no,
            transaction_id=answer.transaction_id,
            data={
                "provider_fen": answer.amount.fen if answer.amount else None,
                "booked_fen": payment.amount.fen if payment else None,
            },
            now=now,
        )
        return Outcome.DISCREPANCY
    if payment is None or order is None or answer.transaction_id is None:
        raise NotFound(f"order {answer.out_trade_no} vanished")  # _objection has ruled this out
    if payment.state is PaymentState.CONFIRMED:
        return Outcome.ALREADY_BOOKED
    order.transaction_id = answer.transaction_id
    payment.state = PaymentState.CONFIRMED
    payment.transaction_id = answer.transaction_id
    payment.confirmed_at = now
    session.flush()  # the receipt and allocations below refer to the confirmed row
    _book(session, payment, answer.paid_at or now, now)
    return Outcome.BOOKED


def _objection(
    session: Session, merchant: MerchantAccount, payment: Payment | None, answer: ProviderAnswer
) -> DiscrepancyKind | None:
    """Why this answer must not be booked, or None."""
    if answer.mchid != merchant.mchid:
        return DiscrepancyKind.WRONG_MERCHANT
    if payment is None:
        return DiscrepancyKind.UNKNOWN_ORDER
    if answer.amount != payment.amount:
        return DiscrepancyKind.WRONG_AMOUNT
    payer = session.get(Follower, payment.payer_id) if payment.payer_id else None
    if payer is not None and answer.payer_openid != payer.openid:
        return DiscrepancyKind.WRONG_PAYER
    if payment.state is PaymentState.CONFIRMED and payment.transaction_id != answer.transaction_id:
        return DiscrepancyKind.PAID_TWICE
    return None


def _book(session: Session, payment: Payment, paid_at: datetime, now: datetime) -> None:
    """Allocate, post, number the receipt and record the fact, all in the caller's transaction.

    The money belongs to the day it was paid, as on the provider's statement, however late its word
    came, unless that month was closed meanwhile; the receipt is of today.
    """
    # One payment of a home at a time: what is owed must not change between reading and allocating.
    lock_home(session, payment.community_id, payment.unit_id)
    paid_on = first_open_day(session, payment.community_id, business_date(paid_at))
    allocation = _allocate_to_open_lines(session, payment)
    if allocation.parts:
        session.execute(
            insert(PaymentAllocation),
            [
                {
                    "community_id": payment.community_id,
                    "payment_id": payment.id,
                    "bill_line_id": part.line_id,
                    "bill_id": part.bill_id,
                    "amount": part.amount,
                    "effective_on": paid_on,
                }
                for part in allocation.parts
            ],
        )
    post(
        session,
        payment.community_id,
        kind=EntryKind.PAYMENT,
        key=f"payment:{payment.out_trade_no}",
        source_id=payment.id,
        effective_on=paid_on,
        now=now,
        legs=_payment_legs(payment, allocation),
    )
    receipt = _issue_receipt(session, payment, now)
    record(
        session,
        FactKind.PAYMENT_CONFIRMED,
        community_id=payment.community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
        data={"receipt": f"{receipt.year}-{receipt.no:06d}", "payer_id": payment.payer_id},
    )


def _allocate_to_open_lines(session: Session, payment: Payment) -> Allocation:
    designated = list_targets(session, payment)
    bills = list_unpaid(session, payment.community_id, [payment.unit_id])
    lines = list_lines(session, payment.community_id, [bill.id for bill in bills])
    rank = {bill.id: position for position, bill in enumerate(bills)}
    lines.sort(key=lambda line: (rank[line.bill_id], line.id))
    open_lines = [
        OpenLine(line.bill_id, line.id, line.outstanding)
        for line in lines
        if line.outstanding > ZERO
    ]
    return allocate(payment.amount, designated, open_lines)


def _payment_legs(payment: Payment, allocation: Allocation) -> list[Leg]:
    legs = [Leg(FixedAccount.WECHAT_CLEARING, debit=payment.amount)]
    legs += [
        Leg(FixedAccount.RECEIVABLE, credit=amount, unit_id=payment.unit_id, bill_id=bill_id)
        for bill_id, amount in allocation.per_bill().items()
    ]
    if allocation.remainder > ZERO:
        legs.append(
            Leg(FixedAccount.PREPAYMENTS, credit=allocation.remainder, unit_id=payment.unit_id)
        )
    return legs


def _issue_receipt(session: Session, payment: Payment, now: datetime) -> Receipt:
    """Number the receipt: next of the community and year, without gaps."""
    # The community row serialises numbering; held only until this short transaction ends.
    session.execute(
        select(Community.id)
        .where(Community.id == payment.community_id)
        .with_for_update(key_share=True)
    )
    year = business_date(now).year
    last: int | None = session.scalar(
        select(func.max(Receipt.no)).where(
            Receipt.community_id == payment.community_id, Receipt.year == year
        )
    )
    receipt = Receipt(
        community_id=payment.community_id,
        year=year,
        no=(last or 0) + 1,
        payment_id=payment.id,
        issued_at=now,
    )
    session.add(receipt)
    return receipt
