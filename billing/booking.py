"""Money that arrived, or that a home had with us, goes to the books, whatever its channel."""

from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from billing.allocation import Allocation, OpenLine, allocate
from billing.bills import list_lines, list_unpaid
from billing.business_day import business_date
from billing.closing import first_open_day
from billing.facts import FactKind, record
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, Receipt
from billing.payments import list_targets, lock_home
from billing.property import Community

SOURCES = MappingProxyType(
    {
        PaymentChannel.WECHAT_JSAPI: FixedAccount.WECHAT_CLEARING,
        PaymentChannel.COUNTER: FixedAccount.CASH,
        PaymentChannel.IMPORTED: FixedAccount.CASH,
        PaymentChannel.PREPAID: FixedAccount.PREPAYMENTS,
    }
)
"""Where the money of a channel is, or was: the account that is debited."""


def book(session: Session, payment: Payment, paid_at: datetime, now: datetime) -> Allocation:
    """Allocate a confirmed payment, post it, number its receipt and record the fact.

    The money belongs to the day it was paid, as on the provider's statement, however late its word
    came: who paid in time bears no late fee. Where that month was closed meanwhile, the entry alone
    is dated the first open day. The receipt is of today. What a prepayment pays has no receipt: it
    was given when the money came.

    Must be called once per payment, in the transaction that confirms it.
    """
    # One payment of a home at a time: what is owed must not change between reading and allocating.
    lock_home(session, payment.community_id, payment.unit_id)
    paid_on = business_date(paid_at)
    allocation = _allocate_to_open_lines(session, payment)
    _write_allocation(session, payment, allocation, paid_on)
    post(
        session,
        payment.community_id,
        kind=EntryKind.PAYMENT,
        key=f"payment:{payment.out_trade_no}",
        source_id=payment.id,
        effective_on=first_open_day(session, payment.community_id, paid_on),
        now=now,
        legs=_payment_legs(payment, allocation),
    )
    if payment.channel is PaymentChannel.PREPAID:
        kind, data = FactKind.PREPAID_USED, {}
    else:
        receipt = _issue_receipt(session, payment, now)
        kind = FactKind.PAYMENT_CONFIRMED
        data = {"receipt": f"{receipt.year}-{receipt.no:06d}", "payer_id": payment.payer_id}
    record(
        session,
        kind,
        community_id=payment.community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
        data=data,
    )
    return allocation


def _write_allocation(
    session: Session, payment: Payment, allocation: Allocation, paid_on: date
) -> None:
    if not allocation.parts:
        return
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
    source = SOURCES[payment.channel]
    home = payment.unit_id if source is FixedAccount.PREPAYMENTS else None
    legs = [Leg(source, debit=payment.amount, unit_id=home)]
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
