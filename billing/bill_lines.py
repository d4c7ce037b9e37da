"""Lines of issued bills as an owner may see them, with what is still owed on each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ScalarSelect,
    bindparam,
    exists,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session, aliased

from billing.adjustment_tables import Adjustment, AdjustmentState
from billing.bills import BillLine, LineKind
from billing.db import MoneyColumn
from billing.money import ZERO, Money
from billing.payment_tables import PaymentAllocation
from billing.property import Subject, SubjectKind
from billing.tariffs import ChargeItem, FeeKind


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
