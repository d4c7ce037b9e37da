"""Late fees (违约金) of the debts of homes: what to charge now, whenever it is asked.

A fee is always counted from day 1 and a line takes what earlier lines have not, so the total is the
same however often it is charged. Principal is what a bill charges without its late fees, corrected
from the start by adjustments; payments and waivers lower it from their day on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import (
    Adjustment,
    AdjustmentKind,
    AdjustmentState,
    AfterVoid,
    BillVoid,
)
from billing.bills import BillLine, LineKind, get_bills
from billing.direct_debit.batches import ordered_bills
from billing.disputes import disputed_bills
from billing.late_fee_policy import find_late_fee_item, list_policies
from billing.late_fee_tables import LateFeeCap, LateFeeFreeze, LateFeePolicy
from billing.money import ZERO, Money
from billing.owed_lines import bills_of_former_owners
from billing.payment_tables import PaymentAllocation
from billing.payments import lock_homes
from billing.period import DateRange
from billing.pricing import DailyRate, LateFeeTerms, PrincipalPayment, price_late_fee

LATE_DEBTS = text(
    """
    WITH own AS MATERIALIZED (
        SELECT bill.community_id, bill.id, bill.unit_id, bill.run_id, bill.chunk_no, bill.amount,
               chunk.due_on
        FROM bill
        JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
         AND chunk.state = 'issued' AND chunk.due_on < :as_of
        WHERE bill.community_id = :community_id AND bill.unit_id = ANY(:unit_ids)
    ),
    -- Bills of one chunk are numbered in a row: their payments are read as a range of the index,
    -- which is far cheaper than to look each bill up.
    span AS (
        SELECT run_id, chunk_no, due_on, min(id) AS first_id, max(id) AS last_id
        FROM own GROUP BY run_id, chunk_no, due_on
    ),
    -- In time is what lasted: less what was released or taken back since, whenever that was.
    paid AS (
        SELECT span.run_id, span.chunk_no, part.bill_id, sum(part.amount) AS amount,
               coalesce(sum(part.amount) FILTER (WHERE part.effective_on <= span.due_on
                                                    OR part.amount < 0), 0) AS in_time,
               max(part.effective_on) AS last_on
        FROM span
        JOIN payment_allocation part ON part.community_id = :community_id
         AND part.bill_id BETWEEN span.first_id AND span.last_id
        GROUP BY span.run_id, span.chunk_no, part.bill_id
    ),
    changed AS (
        SELECT change.bill_id, sum(change.amount) AS amount,
               coalesce(sum(change.amount) FILTER (WHERE change.kind = 'adjustment'
                                                      OR change.effective_on <= own.due_on
                                                      OR change.amount > 0), 0) AS in_time,
               max(change.effective_on) AS last_on
        FROM own
        JOIN adjustment change ON change.community_id = own.community_id
         AND change.bill_id = own.id AND change.state = 'approved'
        GROUP BY change.bill_id
    )
    SELECT own.id, own.unit_id, own.due_on
    FROM own
    LEFT JOIN paid ON paid.run_id = own.run_id AND paid.chunk_no = own.chunk_no
     AND paid.bill_id = own.id
    LEFT JOIN changed ON changed.bill_id = own.id
    WHERE own.amount + coalesce(changed.in_time, 0) > coalesce(paid.in_time, 0)
      -- What was paid late and charged for since is closed, or history would be read every month.
      AND NOT (own.amount + coalesce(changed.amount, 0) = coalesce(paid.amount, 0) AND EXISTS (
          SELECT FROM bill_line fee
          WHERE fee.community_id = own.community_id AND fee.subject_id = own.unit_id
            AND fee.item_id = :item_id AND fee.kind = 'late_fee' AND fee.source_id = own.id
            AND fee.period_to > greatest(paid.last_on, changed.last_on)
            AND NOT EXISTS (SELECT FROM bill_void void
                            WHERE void.community_id = fee.community_id
                              AND void.bill_id = fee.bill_id))
          -- Unless a line of it is to be charged again.
          AND NOT EXISTS (
              SELECT FROM bill_line fee
              JOIN bill_void void ON void.community_id = fee.community_id
               AND void.bill_id = fee.bill_id AND void.after = 'redo'
              WHERE fee.community_id = own.community_id AND fee.subject_id = own.unit_id
                AND fee.item_id = :item_id AND fee.kind = 'late_fee'
                AND fee.source_id = own.id))
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = own.community_id AND void.bill_id = own.id)
    ORDER BY own.unit_id, own.due_on, own.id
    """
)
"""Bills of homes that were not paid in full in time, or owed again since: candidates, few where
most people pay.
"""


@dataclass(frozen=True, slots=True)
class LateFeeLine:
    """A late fee to be charged now, for one debt.

    Attributes:
        bill_id: the debt; `source_id` of the line that charges it.
        start: day 1, the first day late; `end` is the first day not counted.
        basis: what it is made of, as stored with a line.
        redo: how many voided lines of the same key came before.
    """

    unit_id: int
    bill_id: int
    amount: Money
    start: date
    end: date
    basis: dict[str, Any]
    redo: int = 0


@dataclass(slots=True)
class Debt:
    """A bill that was not paid in time, with everything that changes its late fee."""

    bill_id: int
    unit_id: int
    due_on: date
    is_of_former_owner: bool
    principal: Money = ZERO
    moves: dict[date, Money] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    """What payments, releases and waivers took off the principal, by day."""
    freezes: list[DateRange] = field(default_factory=list)
    charged: Money = ZERO
    voided: dict[tuple[date, date], int] = field(default_factory=dict)


def late_fee_lines(
    session: Session, community_id: int, unit_ids: Sequence[int], as_of: date
) -> dict[int, list[LateFeeLine]]:
    """What to put on the next bills of these homes for debts that are late, by home.

    Debts of a former owner are left out: they are charged to him by `late_fee_bills`. Homes that
    are late are locked until the caller commits, so that nobody else charges the same days. A fixed
    number of queries, two where nobody is late and one where there is no policy.

    Args:
        as_of: the last day counted.

    Raises:
        PricingError: an amount too large to be true.
    """
    found: dict[int, list[LateFeeLine]] = defaultdict(list)
    for debt, line in price_debts(session, community_id, unit_ids, as_of, lock=True):
        if not debt.is_of_former_owner:
            found[debt.unit_id].append(line)
    return dict(found)


def preview_late_fee(
    session: Session, community_id: int, bill_id: int, as_of: date
) -> LateFeeLine | None:
    """What would be charged for a bill now; None when nothing. Writes and locks nothing.

    Raises:
        NotFound: no such issued bill.
    """
    [bill] = get_bills(session, community_id, [bill_id])
    priced = price_debts(session, community_id, [bill.unit_id], as_of, lock=False)
    return next((line for debt, line in priced if debt.bill_id == bill_id), None)


def price_debts(
    session: Session, community_id: int, unit_ids: Sequence[int], as_of: date, *, lock: bool
) -> list[tuple[Debt, LateFeeLine]]:
    """Debts of these homes with what is to be charged for them, by home and due date; nothing yet
    for a bill that is being disputed, or that the bank was asked to take.
    """
    policies = list_policies(session, community_id)
    item = find_late_fee_item(session, community_id)
    if item is None or not any(policy.daily_rate for policy in policies):
        return []
    debts = _find_debts(session, community_id, unit_ids, as_of, item.id)
    if not debts:
        return []
    if lock:
        lock_homes(session, community_id, {debt.unit_id for debt in debts.values()})
    read_debts(session, community_id, debts, item.id)
    held = disputed_bills(session, community_id, debts)
    # Nobody but the bank may pay what it was asked to take.
    held |= {bill for _, bill in ordered_bills(session, {(community_id, one) for one in debts})}
    priced = (
        (debt, price_debt(debt, policies, as_of))
        for bill_id, debt in debts.items()
        if bill_id not in held
    )
    return [(debt, line) for debt, line in priced if line is not None]


def read_debts(session: Session, community_id: int, debts: dict[int, Debt], item_id: int) -> None:
    """Fill in everything that changes the late fees of these debts, by bill."""
    _read_principals(session, community_id, debts)
    _read_payments(session, community_id, debts)
    _read_adjustments(session, community_id, debts)
    _read_charged(session, community_id, debts, item_id)
    _read_freezes(session, community_id, debts, {debt.unit_id for debt in debts.values()})


def _find_debts(
    session: Session, community_id: int, unit_ids: Sequence[int], as_of: date, item_id: int
) -> dict[int, Debt]:
    rows = session.execute(
        LATE_DEBTS,
        {
            "community_id": community_id,
            "unit_ids": list(unit_ids),
            "as_of": as_of,
            "item_id": item_id,
        },
    ).all()
    former = bills_of_former_owners(session, community_id, [row.id for row in rows])
    return {row.id: Debt(row.id, row.unit_id, row.due_on, row.id in former) for row in rows}


def _read_principals(session: Session, community_id: int, debts: dict[int, Debt]) -> None:
    voided = select(BillVoid.bill_id).where(BillVoid.community_id == community_id)
    rows = session.execute(
        select(BillLine.bill_id, func.sum(BillLine.amount).label("amount"))
        .where(
            BillLine.community_id == community_id,
            BillLine.bill_id.in_(debts),
            BillLine.kind != LineKind.LATE_FEE,  # a late fee bears no late fee
            BillLine.bill_id.not_in(voided),  # meanwhile, before the home was locked
        )
        .group_by(BillLine.bill_id)
    )
    for row in rows:
        debts[row.bill_id].principal = row.amount


def _read_payments(session: Session, community_id: int, debts: dict[int, Debt]) -> None:
    rows = session.execute(
        select(
            PaymentAllocation.bill_id,
            PaymentAllocation.effective_on,
            func.sum(PaymentAllocation.amount).label("amount"),
        )
        .join(
            BillLine,
            (BillLine.community_id == PaymentAllocation.community_id)
            & (BillLine.id == PaymentAllocation.bill_line_id),
        )
        .where(
            PaymentAllocation.community_id == community_id,
            PaymentAllocation.bill_id.in_(debts),
            BillLine.kind != LineKind.LATE_FEE,
        )
        .group_by(PaymentAllocation.bill_id, PaymentAllocation.effective_on)
    )
    for row in rows:
        debts[row.bill_id].moves[row.effective_on] += row.amount


def _read_adjustments(session: Session, community_id: int, debts: dict[int, Debt]) -> None:
    """A correction counts from the start: the bill was wrong. A waiver counts as a payment does."""
    rows = session.execute(
        select(Adjustment.bill_id, Adjustment.kind, Adjustment.amount, Adjustment.effective_on)
        .join(
            BillLine,
            (BillLine.community_id == Adjustment.community_id)
            & (BillLine.id == Adjustment.bill_line_id),
        )
        .where(
            Adjustment.community_id == community_id,
            Adjustment.bill_id.in_(debts),
            Adjustment.state == AdjustmentState.APPROVED,
            BillLine.kind != LineKind.LATE_FEE,
        )
    )
    for row in rows:
        debt = debts[row.bill_id]
        if row.kind is AdjustmentKind.ADJUSTMENT:
            debt.principal += row.amount
        else:
            debt.moves[row.effective_on] -= row.amount


def _read_charged(
    session: Session, community_id: int, debts: dict[int, Debt], item_id: int
) -> None:
    """Earlier lines, drafts as well. What was voided for good counts as charged: it was let off."""
    rows = session.execute(
        select(BillLine, BillVoid.after)
        .outerjoin(
            BillVoid,
            (BillVoid.community_id == BillLine.community_id)
            & (BillVoid.bill_id == BillLine.bill_id),
        )
        .where(
            BillLine.community_id == community_id,
            BillLine.subject_id.in_({debt.unit_id for debt in debts.values()}),
            BillLine.item_id == item_id,
            BillLine.kind == LineKind.LATE_FEE,
            BillLine.source_id.in_(debts),
        )
    )
    for line, after in rows:
        debt = debts[line.source_id]
        if after is not AfterVoid.REDO:
            debt.charged += line.amount
        key = (line.period_from, line.period_to)
        debt.voided[key] = max(debt.voided.get(key, 0), line.redo + 1)


def _read_freezes(
    session: Session, community_id: int, debts: dict[int, Debt], unit_ids: Iterable[int]
) -> None:
    rows = session.scalars(
        select(LateFeeFreeze).where(
            LateFeeFreeze.community_id == community_id, LateFeeFreeze.unit_id.in_(unit_ids)
        )
    )
    frozen: dict[int, list[DateRange]] = defaultdict(list)
    for row in rows:
        frozen[row.unit_id].append(DateRange(row.from_on, row.to_on or date.max))
    for debt in debts.values():
        debt.freezes = frozen[debt.unit_id]


def price_debt(debt: Debt, policies: Sequence[LateFeePolicy], as_of: date) -> LateFeeLine | None:
    """What its late fee comes to beyond what was charged; None when nothing."""
    terms = _terms(debt, policies)
    if terms is None or debt.principal <= ZERO:
        return None
    line = price_late_fee(
        Decimal(debt.principal.yuan),
        terms,
        due_on=debt.due_on,
        as_of=as_of,
        payments=_payments(debt),
        charged=debt.charged,
    )
    if line is None or line.amount == ZERO:
        return None
    redo = debt.voided.get((line.start, line.end), 0)
    return LateFeeLine(
        debt.unit_id, debt.bill_id, line.amount, line.start, line.end, line.basis, redo
    )


def _terms(debt: Debt, policies: Sequence[LateFeePolicy]) -> LateFeeTerms | None:
    """The clause for a debt; None when none was in force when it became late: a clause does not
    reach back.
    """
    first_day_late = debt.due_on + timedelta(days=1)
    begun = [policy for policy in policies if policy.effective_from <= first_day_late]
    if not begun:
        return None
    clause = begun[-1]
    return LateFeeTerms(
        grace_days=clause.grace_days,
        rates=tuple(DailyRate(policy.effective_from, policy.daily_rate) for policy in policies),
        cap=Decimal(debt.principal.yuan) if clause.cap is LateFeeCap.PRINCIPAL else None,
        freezes=tuple(debt.freezes),
    )


def _payments(debt: Debt) -> list[PrincipalPayment]:
    """The moves, held between nothing and all of the principal.

    A correction from the start may leave more paid than was owed until the surplus is released.
    """
    payments: list[PrincipalPayment] = []
    moved = paid = ZERO
    for day, amount in sorted(debt.moves.items()):
        moved += amount
        counted = min(max(moved, ZERO), debt.principal)
        if counted != paid:
            payments.append(PrincipalPayment(day, counted - paid))
        paid = counted
    return payments
