"""Late fees of debts that turn out to have been paid earlier than we knew."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import BillVoid
from billing.alerts import AlertKind, Severity
from billing.bill_lines import adjusted_on
from billing.bills import BillLine, LineKind
from billing.insight.finding import Finding
from billing.late_fee_policy import find_late_fee_item, list_policies
from billing.late_fees import Debt, price_debt, read_debts
from billing.money import ZERO, Money
from billing.property import Unit

RECENT_DAYS = 35
"""So long a payment that came late to the books is looked at."""

PAID_EARLIER = text(
    """
    SELECT DISTINCT bill.id, bill.unit_id, chunk.due_on
    FROM payment
    JOIN payment_allocation part ON part.community_id = payment.community_id
     AND part.payment_id = payment.id AND part.amount > 0
    JOIN bill ON bill.community_id = part.community_id AND bill.id = part.bill_id
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
    WHERE payment.community_id = :community_id AND payment.state = 'confirmed'
      AND payment.confirmed_at > CAST(:since AS timestamp) AT TIME ZONE 'Asia/Shanghai'
      AND part.effective_on < CAST(payment.confirmed_at AT TIME ZONE 'Asia/Shanghai' AS date)
      AND EXISTS (SELECT FROM bill_line fee
                  WHERE fee.community_id = bill.community_id AND fee.subject_id = bill.unit_id
                    AND fee.item_id = :item_id AND fee.kind = 'late_fee'
                    AND fee.source_id = bill.id AND fee.period_to > part.effective_on + 1)
    ORDER BY bill.id
    """
)
"""Debts that were paid, as we learnt later, before a day that a late fee counts."""


def find_undue_fees(session: Session, community_id: int, today: date) -> list[Finding]:
    """Debts whose late fee is more than what it comes to now that we know when they were paid.

    What was charged is never taken back by itself: somebody requests its waiver.
    """
    item = find_late_fee_item(session, community_id)
    if item is None:
        return []
    rows = session.execute(
        PAID_EARLIER,
        {
            "community_id": community_id,
            "item_id": item.id,
            "since": today - timedelta(days=RECENT_DAYS),
        },
    )
    debts = {row.id: Debt(row.id, row.unit_id, row.due_on, False) for row in rows}
    if not debts:
        return []
    read_debts(session, community_id, debts, item.id)
    policies = list_policies(session, community_id)
    findings = []
    for fees in _standing(session, community_id, debts, item.id):
        debt = replace(debts[fees.debt_id], charged=ZERO)
        fee = price_debt(debt, policies, fees.until - timedelta(days=1))
        surplus = fees.amount - (ZERO if fee is None else fee.amount)
        if surplus > ZERO:
            findings.append(_finding(session, community_id, debt, fees.bill_id, surplus))
    return findings


@dataclass(frozen=True, slots=True)
class _Fees:
    """The late fees of a debt that stand: what they come to less what was waived of them, the first
    day that none of them counts, and the bill that has the last.
    """

    debt_id: int
    bill_id: int
    amount: Money
    until: date


def _standing(
    session: Session, community_id: int, debts: dict[int, Debt], item_id: int
) -> list[_Fees]:
    voided = select(BillVoid.bill_id).where(BillVoid.community_id == community_id)
    rows = session.execute(
        select(
            BillLine.source_id,
            func.sum(BillLine.amount).label("amount"),
            func.sum(adjusted_on(BillLine)).label("adjusted"),
            func.max(BillLine.bill_id).label("bill_id"),
            func.max(BillLine.period_to).label("until"),
        )
        .where(
            BillLine.community_id == community_id,
            BillLine.subject_id.in_({debt.unit_id for debt in debts.values()}),
            BillLine.item_id == item_id,
            BillLine.kind == LineKind.LATE_FEE,
            BillLine.source_id.in_(debts),
            BillLine.bill_id.not_in(voided),
        )
        .group_by(BillLine.source_id)
        .order_by(BillLine.source_id)
    )
    return [_Fees(row.source_id, row.bill_id, row.amount + row.adjusted, row.until) for row in rows]


def _finding(
    session: Session, community_id: int, debt: Debt, bill_id: int, surplus: Money
) -> Finding:
    room = session.scalars(
        select(Unit.room).where(Unit.community_id == community_id, Unit.id == debt.unit_id)
    ).one()
    return Finding(
        AlertKind.UNDUE_LATE_FEE,
        Severity.MEDIUM,
        f"late fees of bill {debt.bill_id} are {surplus.yuan} more than they come to",
        {
            "room": room,
            "due_on": debt.due_on.isoformat(),
            "amount": surplus.yuan,
            "bill_id": bill_id,
        },
        debt.unit_id,
    )
