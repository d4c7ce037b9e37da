"""Tables of payments. Apart from `payments`, because bills read allocations and payments read
bills.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class PaymentChannel(LabelEnum):
    """How money reaches us. What each may do and where it is offered: `payment_channels`."""

    WECHAT_JSAPI = "wechat_jsapi", "微信支付"
    WECHAT_NATIVE = "wechat_native", "微信扫码支付"
    WECHAT_H5 = "wechat_h5", "微信支付（浏览器）"
    ALIPAY_WAP = "alipay_wap", "支付宝"
    ALIPAY_PAGE = "alipay_page", "支付宝（电脑）"
    BANK_TRANSFER = "bank_transfer", "银行转账"
    DIRECT_DEBIT = "direct_debit", "银行托收"
    CASH = "cash", "现金"
    POS = "pos", "刷卡"
    SLIP = "slip", "转账凭单"
    PREPAID = "prepaid", "预存抵扣"
    EXTERNAL = "external", "外部系统收款"
    IMPORTED = "imported", "历史导入"


class PaymentState(LabelEnum):
    """Life of a payment. UNKNOWN is real: asked again on a schedule, never charged again."""

    PREPARED = "prepared", "待下单"
    UNKNOWN = "unknown", "确认中"
    WAITING = "waiting", "待支付"
    CONFIRMED = "confirmed", "已到账"
    CLOSED = "closed", "已关闭"
    REVERSED = "reversed", "已冲红"


OPEN_STATES = (PaymentState.PREPARED, PaymentState.UNKNOWN, PaymentState.WAITING)
"""States in which the provider may still take the money."""

BOOKED_STATES = (PaymentState.CONFIRMED, PaymentState.REVERSED)
"""States of money that was booked, once; a reversed one was taken back by the cashier."""


class Payment(Base):
    """Money somebody means to pay, or paid, towards one home. A confirmed amount never changes."""

    __tablename__ = "payment"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["merchant_id", "out_trade_no"],
            ["provider_order.merchant_id", "provider_order.out_trade_no"],
            deferrable=True,
            initially="DEFERRED",
        ),
        UniqueConstraint("community_id", "out_trade_no"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "(state IN ('confirmed', 'reversed')) = (confirmed_at IS NOT NULL)",
            name="confirmed_has_time",
        ),
        CheckConstraint("(paid_at IS NULL) = (confirmed_at IS NULL)", name="paid_when_confirmed"),
        Index("ix_payment_unit", "community_id", "unit_id"),
        # Read by reconciliation: what a merchant account took on a day.
        Index("ix_payment_merchant", "merchant_id", "paid_at"),
        # Read by reports.income: what came on a day.
        Index(
            "ix_payment_income",
            "community_id",
            "paid_at",
            postgresql_include=["channel", "amount"],
            postgresql_where=text("state = 'confirmed'"),
        ),
        # Read by payments.list_unsettled: what the provider must be asked about.
        Index(
            "ix_payment_open",
            "prepared_at",
            postgresql_where=text("state IN ('prepared', 'unknown', 'waiting')"),
        ),
        # Read by staff: what was booked on a day, and a provider's number by its end.
        Index("ix_payment_confirmed", "community_id", "confirmed_at"),
        Index(
            "ix_payment_transaction",
            "community_id",
            func.reverse(literal_column("transaction_id")).label("backwards"),
            postgresql_ops={"backwards": "text_pattern_ops"},
            postgresql_where=text("transaction_id IS NOT NULL"),
        ),
        {"comment": "Payments (缴费), one per order number"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    merchant_id: Mapped[int | None] = mapped_column(
        ForeignKey("merchant_account.id"), comment="null when no provider was involved"
    )
    out_trade_no: Mapped[str]
    unit_id: Mapped[int]
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("follower.id"))
    channel: Mapped[PaymentChannel]
    state: Mapped[PaymentState]
    amount: Mapped[Money]
    is_designated: Mapped[bool] = mapped_column(
        server_default="false",
        comment="the payer said what for: the targets, the rest prepaid; else oldest first",
    )
    call: Mapped[dict[str, Any] | None] = mapped_column(comment="what the payer's phone needs")
    transaction_id: Mapped[str | None]
    prepared_at: Mapped[datetime]
    asked_at: Mapped[datetime | None] = mapped_column(comment="when the provider was last asked")
    confirmed_at: Mapped[datetime | None] = mapped_column(comment="when we booked it")
    paid_at: Mapped[datetime | None] = mapped_column(comment="when the payer paid")
    closed_at: Mapped[datetime | None]


class PaymentTarget(Base):
    """Which bill the payer meant, and how much of it (民法典 560: the payer's word comes first)."""

    __tablename__ = "payment_target"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        CheckConstraint("amount > 0", name="amount"),
        {"comment": "What the payer designated a payment for"},
    )

    community_id: Mapped[CommunityId]
    payment_id: Mapped[int] = mapped_column(primary_key=True)
    bill_id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[Money]


class PaymentAllocation(Base):
    """A part of a confirmed payment, applied to one line (核销). Negative: released again, because
    the bill was voided; the money became a prepayment.
    """

    __tablename__ = "payment_allocation"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "bill_line_id"], ["bill_line.community_id", "bill_line.id"]
        ),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_payment_allocation_payment", "community_id", "payment_id"),
        Index("ix_payment_allocation_bill", "community_id", "bill_id"),
        Index("ix_payment_allocation_line", "community_id", "bill_line_id"),
        {"comment": "Payments applied to bill lines (核销)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    payment_id: Mapped[int]
    bill_line_id: Mapped[int]
    bill_id: Mapped[int]
    amount: Mapped[Money]
    effective_on: Mapped[date] = mapped_column(comment="the day the money was paid, or released")


class ReceiptWaiting(Base):
    """A booked payment whose receipt has no number yet; `receipts.number_waiting` takes it."""

    __tablename__ = "receipt_waiting"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        {"comment": "Booked payments whose receipt is not numbered yet"},
    )

    community_id: Mapped[CommunityId]
    payment_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Receipt(Base):
    """Proof of a confirmed payment (收据), numbered without gaps per community and year."""

    __tablename__ = "receipt"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        UniqueConstraint("community_id", "payment_id"),
        {"comment": "Receipts (收据)"},
    )

    community_id: Mapped[CommunityId]
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payment_id: Mapped[int]
    issued_at: Mapped[datetime]

    @property
    def number(self) -> str:
        """As printed: `2026-000123`."""
        return f"{self.year}-{self.no:06d}"
