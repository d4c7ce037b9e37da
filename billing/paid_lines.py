"""What a payment paid: line by line, and what of it became a prepayment. Nothing here writes."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bills import Bill, BillLine
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation
from billing.payments import list_targets
from billing.period import Period
from billing.property import Subject, SubjectKind
from billing.tariffs import ChargeItem


@dataclass(frozen=True, slots=True)
class PaidLine:
    """What a payment paid on one line of a bill."""

    period: Period
    item_name: str
    subject_kind: SubjectKind
    subject_code: str
    period_from: date
    period_to: date
    amount: Money


def prepaid_parts(session: Session, payment: Payment) -> tuple[Money, Money]:
    """Of a booked payment: what became a prepayment by the payer's wish, and what did because the
    bills it was meant for were paid by somebody else meanwhile.
    """
    applied = session.scalar(
        select(func.sum(PaymentAllocation.amount)).where(
            PaymentAllocation.community_id == payment.community_id,
            PaymentAllocation.payment_id == payment.id,
            PaymentAllocation.amount > ZERO,
        )
    )
    rest = payment.amount - (applied or ZERO)
    if not payment.is_designated:
        return rest, ZERO
    meant = payment.amount - sum(list_targets(session, payment).values(), ZERO)
    return meant, rest - meant


def list_paid_lines(session: Session, payment: Payment) -> list[PaidLine]:
    """What a booked payment paid, line by line, in the order of the bills. What was released since,
    because a bill was voided or money went back, stays: the paper that was handed out says so too.
    """
    rows = session.execute(
        select(
            Bill.period,
            ChargeItem.name.label("item_name"),
            Subject.kind.label("subject_kind"),
            Subject.code.label("subject_code"),
            BillLine.period_from,
            BillLine.period_to,
            PaymentAllocation.amount,
        )
        .join_from(
            PaymentAllocation,
            BillLine,
            (BillLine.community_id == PaymentAllocation.community_id)
            & (BillLine.id == PaymentAllocation.bill_line_id),
        )
        .join(Bill, (Bill.community_id == BillLine.community_id) & (Bill.id == BillLine.bill_id))
        .join(
            ChargeItem,
            (ChargeItem.community_id == BillLine.community_id)
            & (ChargeItem.id == BillLine.item_id),
        )
        .join(
            Subject,
            (Subject.community_id == BillLine.community_id) & (Subject.id == BillLine.subject_id),
        )
        .where(
            PaymentAllocation.community_id == payment.community_id,
            PaymentAllocation.payment_id == payment.id,
            PaymentAllocation.amount > ZERO,
        )
        .order_by(Bill.period, Bill.id, BillLine.id)
    ).mappings()
    return [PaidLine(**row) for row in rows]


def sum_paid(lines: list[PaidLine]) -> Money:
    """Sum of what was paid on these lines; the rest of the payment is the payer's prepayment."""
    return sum((line.amount for line in lines), ZERO)
