"""Tables of direct debit."""

from datetime import date, datetime
from typing import Any

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


class MandateKind(LabelEnum):
    """Who takes the money."""

    BANK = "bank", "银行托收"
    WECHAT = "wechat", "微信委托代扣"


class MandateState(LabelEnum):
    """Life of a mandate."""

    ACTIVE = "active", "生效"
    ENDED = "ended", "已终止"


class BatchState(LabelEnum):
    """Life of a batch."""

    MADE = "made", "待送盘"
    SENT = "sent", "已送盘"
    SETTLED = "settled", "已回盘"
    CANCELLED = "cancelled", "已撤销"


class OrderState(LabelEnum):
    """What became of an order to take money."""

    WAITING = "waiting", "待回盘"
    PAID = "paid", "扣款成功"
    FAILED = "failed", "扣款失败"
    CANCELLED = "cancelled", "已撤销"


class DirectDebitMandate(Base):
    """An owner's word that the fees of a home may be taken from an account. Holder and number are
    sealed. At most one living mandate per home.
    """

    __tablename__ = "direct_debit_mandate"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        UniqueConstraint("community_id", "contract_code"),
        CheckConstraint("(state = 'ended') = (ended_on IS NOT NULL)", name="ended_has_day"),
        CheckConstraint("notice_days BETWEEN 0 AND 30", name="notice_days"),
        CheckConstraint("(kind = 'bank') = (account_sealed IS NOT NULL)", name="bank_has_account"),
        Index(
            "uq_direct_debit_mandate_living",
            "community_id",
            "unit_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
        {"comment": "Mandates for direct debit (托收协议)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[MandateKind]
    unit_id: Mapped[int]
    contract_code: Mapped[str] = mapped_column(comment="number of the paper or of the contract")
    holder_sealed: Mapped[str | None]
    account_sealed: Mapped[str | None]
    account_tail: Mapped[str | None] = mapped_column(comment="last four digits, as shown")
    notice_days: Mapped[int] = mapped_column(
        server_default="0", comment="so long before the bank is asked its holder is told"
    )
    signed_on: Mapped[date]
    ended_on: Mapped[date | None]
    state: Mapped[MandateState]
    signed_by: Mapped[int] = mapped_column(ForeignKey("staff.id"), comment="who wrote it down")
    signed_at: Mapped[datetime]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))


class DirectDebitBatch(Base):
    """Orders that go to the bank in one file."""

    __tablename__ = "direct_debit_batch"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "number"),
        CheckConstraint("(state = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_at"),
        CheckConstraint(
            "(state IN ('sent', 'settled')) = (sent_at IS NOT NULL)", name="sent_has_time"
        ),
        {"comment": "Batches of direct debit orders (托收批次)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    number: Mapped[str] = mapped_column(comment="TS20261123-1, as in the bank's files")
    due_by: Mapped[date] = mapped_column(comment="bills due on or before this day")
    sent_from: Mapped[date] = mapped_column(
        comment="the bank gets it no earlier: every holder was told in time"
    )
    state: Mapped[BatchState]
    skipped: Mapped[dict[str, Any]] = mapped_column(comment="reason → homes that were left out")
    made_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    sent_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    sent_at: Mapped[datetime | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    cancelled_at: Mapped[datetime | None]


class DirectDebitOrder(Base):
    """One line of a batch: take this amount from this mandate's account."""

    __tablename__ = "direct_debit_order"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "batch_id"],
            ["direct_debit_batch.community_id", "direct_debit_batch.id"],
        ),
        ForeignKeyConstraint(
            ["community_id", "mandate_id"],
            ["direct_debit_mandate.community_id", "direct_debit_mandate.id"],
        ),
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        UniqueConstraint("community_id", "payment_id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "(state IN ('paid', 'failed')) = (result_at IS NOT NULL)", name="result_has_time"
        ),
        {"comment": "Orders of direct debit batches (托收明细)"},
    )

    community_id: Mapped[CommunityId]
    batch_id: Mapped[int] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, comment="serial number in the batch, from 1")
    mandate_id: Mapped[int]
    payment_id: Mapped[int]
    amount: Mapped[Money]
    state: Mapped[OrderState]
    reason: Mapped[str | None] = mapped_column(comment="why the bank did not take it")
    result_at: Mapped[datetime | None] = mapped_column(comment="when we read the result")
