"""Up to which day something is billed: what is configured anew must begin after that."""

from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.adjustment_tables import is_void
from billing.bills import BillLine, LineKind


def last_billed_day(
    session: Session,
    community_id: int,
    item_id: int,
    *,
    since: date,
    subject_id: int | None = None,
    source_id: int | None = None,
    kind: LineKind = LineKind.CHARGE,
) -> date | None:
    """The last day an item is billed for, drafts included and voided bills not; None if that is
    before `since`.

    Args:
        subject_id: of one subject only.
        source_id: only lines made from this, e.g. a discount that was granted.
    """
    lines = select(func.max(BillLine.period_to)).where(
        BillLine.community_id == community_id,
        BillLine.item_id == item_id,
        BillLine.kind == kind,
        BillLine.period_to > since,
        ~is_void(BillLine.community_id, BillLine.bill_id),
    )
    if subject_id is not None:
        lines = lines.where(BillLine.subject_id == subject_id)
    if source_id is not None:
        lines = lines.where(BillLine.source_id == source_id)
    end = session.scalar(lines)
    return None if end is None else end - timedelta(days=1)
