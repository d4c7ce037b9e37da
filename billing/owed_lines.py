"""What is owed, line by line, in the order in which money pays it, and by whom. Read whenever money
is booked, so it is one statement, put together once.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, select, type_coerce
from sqlalchemy.orm import Session

from billing.adjustment_tables import BillShare, ShareReason, is_void
from billing.bill_lines import adjusted_on, discounted_on, paid_on
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.bills import Bill, BillLine, BillState, LineKind, list_unpaid
from billing.db import MoneyColumn, id_array
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentTarget
from billing.people import Occupancy, ResidentRole


@dataclass(frozen=True, slots=True)
class OwedLine:
    """What is owed on a line of an issued bill, above zero."""

    unit_id: int
    bill_id: int
    line_id: int
    kind: LineKind
    outstanding: Money


def is_of_former_owner() -> ColumnElement[bool]:
    """Condition on `Bill`: since its home changed hands, somebody who owns it no longer owes at
    least a part of it.
    """
    owns_still = (
        exists()
        .where(
            Occupancy.community_id == BillShare.community_id,
            Occupancy.unit_id == Bill.unit_id,
            Occupancy.resident_id == BillShare.resident_id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.to_on.is_(None),
        )
        .correlate_except(Occupancy)
    )
    return (
        exists()
        .where(
            BillShare.community_id == Bill.community_id,
            BillShare.bill_id == Bill.id,
            BillShare.reason == ShareReason.HANDED_OVER,
            BillShare.amount > ZERO,
            ~owns_still,
        )
        .correlate_except(BillShare)
    )


def bills_of_former_owners(
    session: Session, community_id: int, bill_ids: Collection[int]
) -> set[int]:
    """Those of these bills that `is_of_former_owner` is true of."""
    if not bill_ids:
        return set()
    narrow = Bill.id.in_(id_array(bill_ids))
    return set(
        session.scalars(
            select(Bill.id).where(Bill.community_id == community_id, narrow, is_of_former_owner())
        )
    )


def list_own_unpaid(
    session: Session, community_id: int, unit_ids: Collection[int]
) -> list[BillState]:
    """Those of `list_unpaid` that the present owners owe: what a former owner owes at least a part
    of is taken from nobody who did not say so.
    """
    unpaid = list_unpaid(session, community_id, unit_ids)
    former = bills_of_former_owners(session, community_id, [bill.id for bill in unpaid])
    return [bill for bill in unpaid if bill.id not in former]


@cache
def _owed_lines() -> Any:
    owed = BillLine.amount + discounted_on(BillLine) + adjusted_on(BillLine) - paid_on(BillLine)
    return (
        select(
            Bill.unit_id,
            BillLine.bill_id,
            BillLine.id.label("line_id"),
            BillLine.kind,
            type_coerce(owed, MoneyColumn()).label("outstanding"),
        )
        .join(Bill, (Bill.community_id == BillLine.community_id) & (Bill.id == BillLine.bill_id))
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .where(
            BillRunChunk.state == ChunkState.ISSUED,
            BillLine.kind != LineKind.DISCOUNT,
            ~is_void(Bill.community_id, Bill.id),
        )
        .order_by(BillRunChunk.due_on, Bill.period, Bill.id, BillLine.id)
    )


@cache
def _own_lines() -> Any:
    return _owed_lines().where(~is_of_former_owner())


def list_owed_lines(
    session: Session, community_id: int, unit_ids: Collection[int]
) -> list[OwedLine]:
    """What the present owners of these homes owe line by line, as money that says nothing of what
    it is for pays it; the oldest due date first, then as the lines were written.
    """
    here = (Bill.community_id == community_id, Bill.unit_id.in_(unit_ids))
    rows = session.execute(_own_lines().where(*here))
    return [OwedLine(*row) for row in rows if row.outstanding > ZERO]


@cache
def _designated_lines() -> Any:
    return (
        _owed_lines()
        .add_columns(PaymentTarget.amount.label("designated"))
        .join(
            PaymentTarget,
            (PaymentTarget.community_id == Bill.community_id) & (PaymentTarget.bill_id == Bill.id),
        )
        .where(
            PaymentTarget.community_id == bindparam("community_id"),
            PaymentTarget.payment_id == bindparam("payment_id"),
        )
    )


def list_designated_lines(
    session: Session, payment: Payment
) -> tuple[list[OwedLine], dict[int, Money]]:
    """What is still owed on the bills a payment is meant for, in the order of `list_owed_lines`,
    and bill id → how much of the payment is meant for it; without the bills nothing is owed on.
    """
    rows = session.execute(
        _designated_lines(), {"community_id": payment.community_id, "payment_id": payment.id}
    ).all()
    lines = [OwedLine(*row[:-1]) for row in rows if row.outstanding > ZERO]
    return lines, {row.bill_id: row.designated for row in rows if row.outstanding > ZERO}
