"""The table of refunds. Apart from `refunds`, which reads much else."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class RefundStage(LabelEnum):
    """Life of a refund. What a provider believes about it is `channels.base.RefundState`."""

    REQUESTED = "requested", "待审批"
    APPROVED = "approved", "待退款"
    UNKNOWN = "unknown", "确认中"
    PROCESSING = "processing", "退款中"
    ABNORMAL = "abnormal", "退款异常"
    DONE = "done", "已退款"
    FAILED = "failed", "退款失败"
    REJECTED = "rejected", "未批准"


HELD_STAGES = (
    RefundStage.APPROVED,
    RefundStage.UNKNOWN,
    RefundStage.PROCESSING,
    RefundStage.ABNORMAL,
)
"""Stages in which the money is held for the payer: with us still, and nobody may spend it."""

COUNTED_STAGES = (RefundStage.REQUESTED, *HELD_STAGES, RefundStage.DONE)
"""Stages that count towards what may be refunded of a payment."""


class Refund(Base):
    """Money of a payment that goes back to whoever paid, by the way it came."""

    __tablename__ = "refund"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        UniqueConstraint("community_id", "out_refund_no"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("released >= 0 AND released <= amount", name="released"),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done_has_time"),
        CheckConstraint(
            "state IN ('requested', 'rejected') OR approved_by IS NOT NULL", name="approved"
        ),
        CheckConstraint(
            "approved_by <> requested_by AND second_approved_by <> requested_by"
            " AND second_approved_by <> approved_by",
            name="different_people",
        ),
        Index("ix_refund_payment", "community_id", "payment_id"),
        # Read by refunds.list_unsettled: what the provider must be asked about.
        Index(
            "ix_refund_unsettled",
            "approved_at",
            postgresql_where=text("state IN ('approved', 'unknown', 'processing', 'abnormal')"),
        ),
        # Read by staff: what waits for a decision.
        Index(
            "ix_refund_waiting",
            "community_id",
            "state",
            postgresql_where=text("state IN ('requested', 'approved', 'abnormal')"),
        ),
        # Read by reconciliation: refunds begun on a day.
        Index("ix_refund_called", "called_at", postgresql_where=text("called_at IS NOT NULL")),
        {"comment": "Refunds (退款), one per refund number"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    payment_id: Mapped[int]
    out_refund_no: Mapped[str] = mapped_column(comment="ours; the same in every repetition")
    amount: Mapped[Money]
    release_bills: Mapped[bool] = mapped_column(
        comment="bills the payment paid may become owed again for it"
    )
    released: Mapped[Money] = mapped_column(
        server_default="0", comment="what of it was taken back from bills at the approval, fen"
    )
    reason: Mapped[str]
    state: Mapped[RefundStage]
    requested_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    requested_at: Mapped[datetime]
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    approved_at: Mapped[datetime | None]
    second_approved_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="above the community's limit a second person approves"
    )
    second_approved_at: Mapped[datetime | None]
    rejected_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    called_at: Mapped[datetime | None] = mapped_column(
        comment="when the provider was first told to refund; from then on it may have"
    )
    asked_at: Mapped[datetime | None] = mapped_column(comment="when the provider was last asked")
    refund_id: Mapped[str | None] = mapped_column(comment="the provider's number")
    failure: Mapped[str | None] = mapped_column(comment="why it failed, for staff")
    done_at: Mapped[datetime | None] = mapped_column(comment="when the money went back")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was done, failed, rejected")
    paid_out_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="who gave it back, where no provider does"
    )
    reference: Mapped[str | None] = mapped_column(
        comment="of the slip or transfer that paid it out"
    )
    shift_id: Mapped[int | None] = mapped_column(comment="the cashier's shift it was paid out in")
