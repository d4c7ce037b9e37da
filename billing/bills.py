"""Bills and their lines, and what is still owed on them.

Rows are written once, when a run drafts them. Whether a bill is issued is the state of its run's
chunk, so publishing rewrites no line. What is outstanding is a sum, never a stored figure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Select,
    SmallInteger,
    UniqueConstraint,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.adjustment_tables import Adjustment, AdjustmentState, is_void
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.db import Base, CommunityId, LocalId
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import PaymentAllocation
from billing.period import EVERY_DAY, DayWindow, Period
from billing.property import Unit
from billing.sight import bill_within


class LineKind(LabelEnum):
    """What a line is; part of the key that makes a charge unique."""

    CHARGE = "charge", "费用"
    DISCOUNT = "discount", "优惠"
    LATE_FEE = "late_fee", "违约金"
    OPENING = "opening", "期初欠费"


class Bill(Base):
    """What one home owes for one period, as drafted by one run."""

    __tablename__ = "bill"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "run_id", "chunk_no"],
            ["bill_run_chunk.community_id", "bill_run_chunk.run_id", "bill_run_chunk.no"],
        ),
        CheckConstraint("amount >= 0", name="amount"),
        Index("ix_bill_unit", "community_id", "unit_id"),
        Index("ix_bill_chunk", "community_id", "run_id", "chunk_no"),
        # Read by browsing: a month's bills in the order of their keys.
        Index("ix_bill_period", "community_id", "period", "id"),
        {"comment": "Bills (账单); issued when their chunk is"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    run_id: Mapped[int]
    chunk_no: Mapped[int]
    unit_id: Mapped[int]
    period: Mapped[Period]
    amount: Mapped[Money] = mapped_column(comment="sum of the lines, fen")


class BillLine(Base):
    """One charge of one subject for one span of days, with the data its arithmetic is rebuilt
    from.
    """

    __tablename__ = "bill_line"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        ForeignKeyConstraint(
            ["community_id", "subject_id"], ["subject.community_id", "subject.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        ForeignKeyConstraint(["community_id", "tariff_id"], ["tariff.community_id", "tariff.id"]),
        UniqueConstraint(
            "community_id",
            "subject_id",
            "item_id",
            "period_from",
            "period_to",
            "kind",
            "source_id",
            "redo",
            name="uq_bill_line_charge",
        ),
        CheckConstraint("period_to > period_from", name="dates_ascend"),
        CheckConstraint("amount >= 0 OR kind = 'discount'", name="only_discounts_are_negative"),
        Index("ix_bill_line_bill", "community_id", "bill_id"),
        {"comment": "Lines of bills (账单明细), written once"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    bill_id: Mapped[int]
    subject_id: Mapped[int]
    item_id: Mapped[int]
    tariff_id: Mapped[int | None] = mapped_column(
        comment="version it was priced with; null for shares, late fees and opening balances"
    )
    kind: Mapped[LineKind]
    source_id: Mapped[int] = mapped_column(
        server_default="0",
        comment="what made the line beside its tariff: closing meter reading, shared cost,"
        " discount grant, or the bill a late fee is for; 0 for nothing",
    )
    redo: Mapped[int] = mapped_column(
        SmallInteger,
        server_default="0",
        comment="attempt: one more than the voided lines of these days before it",
    )
    period_from: Mapped[date]
    period_to: Mapped[date] = mapped_column(comment="first day not charged")
    amount: Mapped[Money]
    basis: Mapped[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BillState:
    """An issued bill as an owner may see it on a date."""

    community_id: int
    id: int
    unit_id: int
    room: str
    period: Period
    issued_on: date
    due_on: date
    amount: Money
    adjusted: Money
    paid: Money

    @property
    def outstanding(self) -> Money:
        """What is still owed: as issued, with what was waived and corrected, less what was paid."""
        return self.amount + self.adjusted - self.paid

    def overdue_days(self, today: date) -> int:
        """Days past the due date; 0 when paid or not yet due. The due date itself is in time."""
        if self.outstanding == ZERO:
            return 0
        return max((today - self.due_on).days, 0)


@cache  # putting it together takes longer than running it for one home
def issued_bills() -> Select[Any]:
    """SELECT of issued bills that are not void, with what was adjusted and paid on them; narrow it
    with `.where(Bill…)`.
    """
    paid = (
        select(func.coalesce(func.sum(PaymentAllocation.amount), 0))
        .where(
            PaymentAllocation.community_id == Bill.community_id,
            PaymentAllocation.bill_id == Bill.id,
        )
        .correlate(Bill)
        .scalar_subquery()
    )
    adjusted = (
        select(func.coalesce(func.sum(Adjustment.amount), 0))
        .where(
            Adjustment.community_id == Bill.community_id,
            Adjustment.bill_id == Bill.id,
            Adjustment.state == AdjustmentState.APPROVED,
        )
        .correlate(Bill)
        .scalar_subquery()
    )
    return (
        select(
            Bill.community_id,
            Bill.id,
            Bill.unit_id,
            Unit.room,
            Bill.period,
            BillRunChunk.issued_on,
            BillRunChunk.due_on,
            Bill.amount,
            adjusted.label("adjusted"),
            paid.label("paid"),
        )
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .join(Unit, (Unit.community_id == Bill.community_id) & (Unit.id == Bill.unit_id))
        .where(BillRunChunk.state == ChunkState.ISSUED, ~is_void(Bill.community_id, Bill.id))
    )


def _bill_states(session: Session, query: Select[Any]) -> list[BillState]:
    rows = session.execute(query.order_by(BillRunChunk.due_on, Bill.period, Bill.id)).mappings()
    return [BillState(**row) for row in rows]


@cache
def _bills_of_homes(*, unpaid: bool) -> Select[Any]:
    query = issued_bills().where(
        Bill.community_id == bindparam("community_id"),
        Bill.unit_id == func.any(bindparam("unit_ids", type_=ARRAY(BigInteger))),
    )
    if unpaid:
        paid, adjusted = query.selected_columns.paid, query.selected_columns.adjusted
        query = query.where(Bill.amount + adjusted > paid)
    return query.order_by(BillRunChunk.due_on, Bill.period, Bill.id)


def list_bills(
    session: Session,
    community_id: int,
    unit_ids: Collection[int],
    seen: DayWindow = EVERY_DAY,
) -> list[BillState]:
    """Every issued bill of these homes that charges for days within `seen`, oldest due date
    first.
    """
    return _list_bills(session, community_id, unit_ids, seen, unpaid=False)


def list_unpaid(
    session: Session,
    community_id: int,
    unit_ids: Collection[int],
    seen: DayWindow = EVERY_DAY,
) -> list[BillState]:
    """Those of `list_bills` with something still owed."""
    return _list_bills(session, community_id, unit_ids, seen, unpaid=True)


def _list_bills(
    session: Session,
    community_id: int,
    unit_ids: Collection[int],
    seen: DayWindow,
    *,
    unpaid: bool,
) -> list[BillState]:
    query = _bills_of_homes(unpaid=unpaid)
    rows = session.execute(
        query if seen.is_open else query.where(bill_within(seen)),
        {"community_id": community_id, "unit_ids": list(unit_ids)},
    )
    return [BillState(*row) for row in rows]


def find_bills(session: Session, community_id: int, bill_ids: Collection[int]) -> list[BillState]:
    """Those of these bills that are issued and not void, oldest due date first."""
    return _bill_states(
        session, issued_bills().where(Bill.community_id == community_id, Bill.id.in_(bill_ids))
    )


def get_bills(session: Session, community_id: int, bill_ids: Collection[int]) -> list[BillState]:
    """These issued bills, oldest due date first.

    Raises:
        NotFound: one of them does not exist or is not issued.
    """
    found = find_bills(session, community_id, bill_ids)
    if len(found) != len(set(bill_ids)):
        raise NotFound(f"no issued bill among {sorted(bill_ids)} of community {community_id}")
    return found
