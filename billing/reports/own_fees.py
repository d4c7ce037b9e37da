"""What one home was charged, month by month and fee by fee: for its owners."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from billing.adjustment_tables import Adjustment, AdjustmentState, is_void
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.bills import Bill, BillLine
from billing.money import ZERO, Money
from billing.period import DayWindow, Period
from billing.sight import bill_within
from billing.tariffs import ChargeItem, FeeKind


@dataclass(frozen=True, slots=True)
class OwnFees:
    """What a home was charged, fen, after discounts, waivers and corrections.

    Attributes:
        by_month: every month of the span, 0 where nothing was billed.
        by_fee: over all those months, the largest first; sums to the same.
    """

    by_month: Mapping[Period, Money]
    by_fee: Mapping[FeeKind, Money]


def own_fees(
    session: Session,
    community_id: int,
    unit_id: int,
    *,
    first: Period,
    last: Period,
    seen: DayWindow,
) -> OwnFees:
    """Issued bills of a home for some months, both included, that charge for days within `seen`;
    void ones left out.
    """
    bills = (
        select(Bill.id, Bill.period)
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no)
            & (BillRunChunk.state == ChunkState.ISSUED),
        )
        .where(
            Bill.community_id == community_id,
            Bill.unit_id == unit_id,
            Bill.period >= first,
            Bill.period <= last,
            ~is_void(Bill.community_id, Bill.id),
        )
    )
    if not seen.is_open:
        bills = bills.where(bill_within(seen))
    bill = bills.subquery("own")
    lines = select(bill.c.period, BillLine.item_id, BillLine.amount).join(
        BillLine, (BillLine.community_id == community_id) & (BillLine.bill_id == bill.c.id)
    )
    changes = (
        select(bill.c.period, BillLine.item_id, Adjustment.amount)
        .join(
            Adjustment,
            (Adjustment.community_id == community_id)
            & (Adjustment.bill_id == bill.c.id)
            & (Adjustment.state == AdjustmentState.APPROVED),
        )
        .join(
            BillLine,
            (BillLine.community_id == community_id) & (BillLine.id == Adjustment.bill_line_id),
        )
    )
    charged = union_all(lines, changes).subquery("charged")
    rows = session.execute(
        select(charged.c.period, ChargeItem.fee, func.sum(charged.c.amount).label("amount"))
        .join(
            ChargeItem,
            (ChargeItem.community_id == community_id) & (ChargeItem.id == charged.c.item_id),
        )
        .group_by(charged.c.period, ChargeItem.fee)
    )
    by_month = dict.fromkeys(first.through(last), ZERO)
    by_fee: dict[FeeKind, Money] = defaultdict(lambda: ZERO)
    for row in rows:
        by_month[row.period] += row.amount
        by_fee[row.fee] += row.amount
    ranked = sorted(by_fee.items(), key=lambda one: one[1], reverse=True)
    return OwnFees(by_month, dict(ranked))
