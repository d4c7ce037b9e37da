"""What became of bills after their issue, as staff read it: who paid, who waived, who disputes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, exists, func, literal, select, type_coerce
from sqlalchemy.orm import Session, aliased

from billing.adjustment_tables import Adjustment, AdjustmentState, BillVoid
from billing.bill_run_tables import BillRunChunk
from billing.bills import Bill, BillLine, issued_bills
from billing.db import MoneyColumn
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, Receipt
from billing.people import Staff
from billing.period import Period
from billing.property import Unit
from billing.tariffs import ChargeItem
from billing.ticket_tables import Ticket


class BillStanding(LabelEnum):
    """How a bill stands."""

    OPEN = "open", "待缴"
    PAID = "paid", "已缴清"
    VOID = "void", "已作废"


@dataclass(frozen=True, slots=True)
class PaidPart:
    """What a payment paid on a bill; negative: it was released again."""

    on: date
    amount: Money
    payment_id: int
    number: str
    channel: PaymentChannel
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A waiver or a correction, with who asked for it and who decided."""

    adjustment: Adjustment
    item: str
    room: str
    unit_id: int
    asked_by: str
    decided_by: str | None
    is_taken_back: bool


@dataclass(frozen=True, slots=True)
class Voided:
    """Why a bill does not count any more."""

    void: BillVoid
    by: str


def bills_of_home(
    community_id: int,
    unit_id: int,
    *,
    standing: BillStanding | None = None,
    period: Period | None = None,
    item_id: int | None = None,
) -> Select[Any]:
    """SELECT of issued bills of a home, to be listed: `key` is the bill's id. Void ones only when
    they are asked for.
    """
    owed = issued_bills().where(Bill.community_id == community_id, Bill.unit_id == unit_id)
    if standing is BillStanding.VOID:
        query: Select[Any] = _void_bills(community_id, unit_id)
    else:
        columns = owed.selected_columns
        outstanding = columns.amount + columns.adjusted - columns.paid
        query = owed.with_only_columns(
            columns.id.label("key"),
            columns.period,
            columns.issued_on,
            columns.due_on,
            columns.amount,
            type_coerce(columns.adjusted, MoneyColumn()).label("adjusted"),
            type_coerce(columns.paid, MoneyColumn()).label("paid"),
            type_coerce(outstanding, MoneyColumn()).label("outstanding"),
        )
        owes = columns.amount + columns.adjusted > columns.paid
        if standing is not None:
            query = query.where(owes if standing is BillStanding.OPEN else ~owes)
    if period is not None:
        query = query.where(Bill.period == period)
    if item_id is not None:
        query = query.where(
            exists().where(
                BillLine.community_id == Bill.community_id,
                BillLine.bill_id == Bill.id,
                BillLine.item_id == item_id,
            )
        )
    return query


def _void_bills(community_id: int, unit_id: int) -> Any:
    nothing = literal(ZERO, MoneyColumn())
    return (
        select(
            Bill.id.label("key"),
            Bill.period,
            BillRunChunk.issued_on,
            BillRunChunk.due_on,
            Bill.amount,
            nothing.label("adjusted"),
            nothing.label("paid"),
            nothing.label("outstanding"),
        )
        .join(
            BillVoid, (BillVoid.community_id == Bill.community_id) & (BillVoid.bill_id == Bill.id)
        )
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .where(
            Bill.community_id == community_id,
            Bill.unit_id == unit_id,
            BillRunChunk.issued_on.is_not(None),
        )
    )


def get_bill(session: Session, community_id: int, bill_id: int) -> tuple[Bill, date, date]:
    """A bill that was issued, void or not, with the days of its issue and of its due date.

    Raises:
        NotFound: there is none, or it is a draft.
    """
    row = session.execute(
        select(Bill, BillRunChunk.issued_on, BillRunChunk.due_on)
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .where(Bill.community_id == community_id, Bill.id == bill_id)
    ).one_or_none()
    if row is None or row.issued_on is None or row.due_on is None:
        raise NotFound(f"no issued bill {bill_id} in community {community_id}")
    return row.Bill, row.issued_on, row.due_on


def find_void(session: Session, community_id: int, bill_id: int) -> Voided | None:
    """Who voided a bill and why; None: nobody did."""
    row = session.execute(
        select(BillVoid, Staff.name)
        .join(Staff, Staff.id == BillVoid.voided_by)
        .where(BillVoid.community_id == community_id, BillVoid.bill_id == bill_id)
    ).one_or_none()
    return None if row is None else Voided(*row)


def list_paid_parts(session: Session, community_id: int, bill_id: int) -> list[PaidPart]:
    """What was paid on a bill and released again, by payment and day, in order."""
    rows = session.execute(
        select(
            PaymentAllocation.effective_on,
            type_coerce(func.sum(PaymentAllocation.amount), MoneyColumn()),
            Payment.id,
            Payment.out_trade_no,
            Payment.channel,
            Receipt,
        )
        .join(
            Payment,
            (Payment.community_id == PaymentAllocation.community_id)
            & (Payment.id == PaymentAllocation.payment_id),
        )
        .outerjoin(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(PaymentAllocation.community_id == community_id, PaymentAllocation.bill_id == bill_id)
        .group_by(
            PaymentAllocation.effective_on,
            PaymentAllocation.amount > ZERO,
            Payment.community_id,
            Payment.id,
            Receipt.community_id,
            Receipt.year,
            Receipt.no,
        )
        .order_by(PaymentAllocation.effective_on, Payment.id)
    )
    return [PaidPart(*row[:5], row[5].number if row[5] else None) for row in rows]


def list_changes(
    session: Session,
    community_id: int,
    *,
    bill_id: int | None = None,
    states: Sequence[AdjustmentState] = tuple(AdjustmentState),
    limit: int = 200,
) -> list[Change]:
    """Waivers and corrections of a bill, or of the community, in the order they were asked for."""
    asker, decider, reversal = aliased(Staff), aliased(Staff), aliased(Adjustment)
    taken_back = exists().where(
        reversal.community_id == Adjustment.community_id,
        reversal.bill_line_id == Adjustment.bill_line_id,
        reversal.reverses_id == Adjustment.id,
        reversal.state == AdjustmentState.APPROVED,
    )
    query = (
        select(
            Adjustment, ChargeItem.name, Unit.room, Unit.id, asker.name, decider.name, taken_back
        )
        .join(
            Bill, (Bill.community_id == Adjustment.community_id) & (Bill.id == Adjustment.bill_id)
        )
        .join(
            BillLine,
            (BillLine.community_id == Adjustment.community_id)
            & (BillLine.id == Adjustment.bill_line_id),
        )
        .join(
            ChargeItem,
            (ChargeItem.community_id == BillLine.community_id)
            & (ChargeItem.id == BillLine.item_id),
        )
        .join(Unit, (Unit.community_id == Bill.community_id) & (Unit.id == Bill.unit_id))
        .join(asker, asker.id == Adjustment.requested_by)
        .outerjoin(decider, decider.id == Adjustment.decided_by)
        .where(Adjustment.community_id == community_id, Adjustment.state.in_(states))
        .order_by(Adjustment.id)
        .limit(limit)
    )
    if bill_id is not None:
        query = query.where(Adjustment.bill_id == bill_id)
    return [Change(*row) for row in session.execute(query)]


def list_disputes(session: Session, community_id: int, bill_id: int) -> list[Ticket]:
    """Tickets about lines of a bill, in the order they were opened."""
    query = select(Ticket).where(Ticket.community_id == community_id, Ticket.bill_id == bill_id)
    return list(session.scalars(query.order_by(Ticket.id)))
