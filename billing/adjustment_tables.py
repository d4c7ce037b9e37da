"""Tables of what happens to a bill after its issue: voids, waivers, adjustments, shares.

Apart from the modules that write them, because `bills` reads them.
"""

from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    exists,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class AfterVoid(LabelEnum):
    """What the next run does about the charges of a voided bill."""

    REDO = "redo", "重新出账"
    EXCLUDE = "exclude", "不再出账"


class BillVoid(Base):
    """This bill does not count (作废): reversed if it was issued, left out if it was a draft."""

    __tablename__ = "bill_void"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        {"comment": "Voided bills (作废)"},
    )

    community_id: Mapped[CommunityId]
    bill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    after: Mapped[AfterVoid]
    reason: Mapped[str]
    voided_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    voided_at: Mapped[datetime]


def is_void(
    community_id: InstrumentedAttribute[int], bill_id: InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """Whether a bill was voided: a condition on the columns of a row that names it."""
    return exists().where(BillVoid.community_id == community_id, BillVoid.bill_id == bill_id)


class AdjustmentKind(LabelEnum):
    """Why what is owed on a line changes after its issue."""

    WAIVER = "waiver", "减免"
    ADJUSTMENT = "adjustment", "调账"


class AdjustmentState(LabelEnum):
    """Life of an adjustment; only an approved one counts and is booked."""

    REQUESTED = "requested", "待审批"
    APPROVED = "approved", "已批准"
    REFUSED = "refused", "已驳回"


class Adjustment(Base):
    """A change of what is owed on an issued line: a waiver (减免) or the correction of an error
    (调账).
    """

    __tablename__ = "adjustment"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        ForeignKeyConstraint(
            ["community_id", "bill_line_id"], ["bill_line.community_id", "bill_line.id"]
        ),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("amount < 0 OR kind <> 'waiver' OR reverses_id IS NOT NULL", name="waives"),
        CheckConstraint("(state = 'requested') = (decided_at IS NULL)", name="decided_has_time"),
        CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_people"),
        Index("ix_adjustment_bill", "community_id", "bill_id"),
        Index("ix_adjustment_line", "community_id", "bill_line_id"),
        {"comment": "Waivers and corrections of issued lines (减免、调账)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    bill_id: Mapped[int]
    bill_line_id: Mapped[int]
    kind: Mapped[AdjustmentKind]
    amount: Mapped[Money] = mapped_column(comment="added to what is owed; negative lowers it, fen")
    reason: Mapped[str]
    state: Mapped[AdjustmentState]
    effective_on: Mapped[date | None] = mapped_column(comment="day it counts from, once approved")
    reverses_id: Mapped[int | None] = mapped_column(comment="the adjustment this one takes back")
    requested_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    requested_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]


class ShareReason(LabelEnum):
    """Why a bill is owed by several people."""

    AGREED = "agreed", "按约定分摊"
    HANDED_OVER = "handed_over", "过户按天分摊"


class BillShare(Base):
    """What one person owes of a bill; the shares of a bill sum to its amount."""

    __tablename__ = "bill_share"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        ForeignKeyConstraint(
            ["community_id", "resident_id"], ["resident.community_id", "resident.id"]
        ),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        {"comment": "Who owes what of a bill (分户承担)"},
    )

    community_id: Mapped[CommunityId]
    bill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    resident_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount: Mapped[Money]
    reason: Mapped[ShareReason]
    decided_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="null where it follows from an older hand-over"
    )
    decided_at: Mapped[datetime]
