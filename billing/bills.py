"""Bills and their lines, and what is still owed on them.

Rows are written once, when a run drafts them. Whether a bill is issued is the state of its run's
chunk, so publishing rewrites no line. What is outstanding is a sum, never a stored figure.
"""

from collections.abc import Collection, Sequence
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
    ScalarSelect,
    Select,
    SmallInteger,
    UniqueConstraint,
    bindparam,
    exists,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.adjustment_tables import Adjustment, AdjustmentState, is_void
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.db import Base, CommunityId, LocalId, MoneyColumn
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import PaymentAllocation
from billing.period import EVERY_DAY, DayWindow, Period
from billing.property import Subject, SubjectKind, Unit
from billing.sight import bill_within
from billing.tariffs import ChargeItem, FeeKind


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


@dataclass(frozen=True, slots=True)
class LineState:
    """A line of an issued bill, with what its charge is called and what was paid on it."""

    id: int
    bill_id: int
    item_code: str
    item_name: str
    fee: FeeKind
    subject_kind: SubjectKind
    subject_code: str
    period_from: date
    period_to: date
    kind: LineKind
    amount: Money
    discounted: Money
    adjusted: Money
    paid: Money
    basis: dict[str, Any]

    @property
    def outstanding(self) -> Money:
        """What is still owed on this line, fen; nothing on a discount: its charge owes less."""
        if self.kind is LineKind.DISCOUNT:
            return ZERO
        return self.amount + self.discounted + self.adjusted - self.paid


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


def adjusted_on(line: type[BillLine]) -> ScalarSelect[Any]:
    """SQL: approved waivers and corrections of a line."""
    return (
        select(func.coalesce(func.sum(Adjustment.amount), 0))
        .where(
            Adjustment.community_id == line.community_id,
            Adjustment.bill_line_id == line.id,
            Adjustment.state == AdjustmentState.APPROVED,
        )
        .correlate(line)
        .scalar_subquery()
    )


def paid_on(line: type[BillLine]) -> ScalarSelect[Any]:
    """SQL: what payments paid on a line."""
    return (
        select(func.coalesce(func.sum(PaymentAllocation.amount), 0))
        .where(
            PaymentAllocation.community_id == line.community_id,
            PaymentAllocation.bill_line_id == line.id,
        )
        .correlate(line)
        .scalar_subquery()
    )


def discounted_on(line: type[BillLine]) -> ScalarSelect[Any]:
    """SQL: what discounts take off a charge line, zero or negative.

    A discount belongs to the first charge of its bill, subject and item whose days it shares.
    Money is paid on charges only, so a bill is paid when what they owe less their discounts is.
    """
    discount, earlier = aliased(BillLine), aliased(BillLine)

    def is_charge_of(charge: type[BillLine]) -> Any:
        return (
            (charge.community_id == discount.community_id)
            & (charge.bill_id == discount.bill_id)
            & (charge.subject_id == discount.subject_id)
            & (charge.item_id == discount.item_id)
            & (charge.kind == LineKind.CHARGE)
            & (charge.period_from < discount.period_to)
            & (charge.period_to > discount.period_from)
        )

    is_first = ~exists().where(is_charge_of(earlier), earlier.id < line.id).correlate(
        line, discount
    )
    off = discount.amount + adjusted_on(discount)
    return (
        select(type_coerce(func.coalesce(func.sum(off), 0), MoneyColumn()))
        .where(discount.kind == LineKind.DISCOUNT, is_charge_of(line), is_first)
        .correlate(line)
        .scalar_subquery()
    )


@cache
def _lines() -> Any:
    query: Any = (
        select(
            BillLine.id,
            BillLine.bill_id,
            ChargeItem.code.label("item_code"),
            ChargeItem.name.label("item_name"),
            ChargeItem.fee,
            Subject.kind.label("subject_kind"),
            Subject.code.label("subject_code"),
            BillLine.period_from,
            BillLine.period_to,
            BillLine.kind,
            BillLine.amount,
            discounted_on(BillLine).label("discounted"),
            adjusted_on(BillLine).label("adjusted"),
            paid_on(BillLine).label("paid"),
            BillLine.basis,
        )
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
            BillLine.community_id == bindparam("community_id"),
            BillLine.bill_id == func.any(bindparam("bill_ids", type_=ARRAY(BigInteger))),
        )
        .order_by(BillLine.bill_id, BillLine.id)
    )
    return query


def list_lines(session: Session, community_id: int, bill_ids: Sequence[int]) -> list[LineState]:
    """Lines of these bills, in the order they are printed and paid: bill, then line.

    What is outstanding on them sums to what is outstanding on the bills.
    """
    if not bill_ids:
        return []
    rows = session.execute(_lines(), {"community_id": community_id, "bill_ids": list(bill_ids)})
    return [LineState(*row) for row in rows]
