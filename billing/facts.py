"""Facts: one row for every change of the books, written in the same transaction.

Billing tells nobody. `notify.intake` reads facts and turns them into notices, so a payment
confirmed by a callback, by a query or at the counter is announced the same way and nobody can
forget to.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import FACTS_RECORDED, Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class FactKind(LabelEnum):
    """What can happen to the books or to access to them."""

    BILL_ISSUED = "bill_issued", "账单已出"
    BILL_VOIDED = "bill_voided", "账单作废"
    ADJUSTED = "adjusted", "减免或调账"
    PAYMENT_CONFIRMED = "payment_confirmed", "缴费到账"
    PAYMENT_REVERSED = "payment_reversed", "缴费冲红"
    DEBIT_ORDERED = "debit_ordered", "托收已制单"
    DEBIT_FAILED = "debit_failed", "托收未成功"
    RECEIPT_ISSUED = "receipt_issued", "收据已开"
    SHIFT_CLOSED = "shift_closed", "交班"
    DAY_CLOSED = "day_closed", "日结"
    FAPIAO_REQUESTED = "fapiao_requested", "申请开票"
    FAPIAO_ISSUED = "fapiao_issued", "发票已开"
    FAPIAO_REJECTED = "fapiao_rejected", "开票未通过"
    FAPIAO_REVERSED = "fapiao_reversed", "发票红冲"
    REFUND_APPROVED = "refund_approved", "退款批准"
    REFUND_DONE = "refund_done", "退款到账"
    REFUND_FAILED = "refund_failed", "退款失败"
    PREPAID_OPENED = "prepaid_opened", "期初预存"
    PREPAID_USED = "prepaid_used", "预存抵扣"
    DEPOSIT_TAKEN = "deposit_taken", "收取押金"
    DEPOSIT_RETURNED = "deposit_returned", "退还押金"
    DEPOSIT_FORFEITED = "deposit_forfeited", "押金抵扣"
    PERIOD_CLOSED = "period_closed", "关账"
    HANDED_OVER = "handed_over", "过户"
    BINDING_REQUESTED = "binding_requested", "绑定申请"
    BINDING_ADDED = "binding_added", "新增绑定"
    BINDING_REFUSED = "binding_refused", "绑定未通过"
    BINDING_ENDED = "binding_ended", "解除绑定"
    HOME_LOOKED_UP = "home_looked_up", "他人查询待缴"
    TICKET_OPENED = "ticket_opened", "工单提出"
    TICKET_ANSWERED = "ticket_answered", "工单答复"
    BROADCAST_WAITING = "broadcast_waiting", "群发待复核"
    ALERT_RAISED = "alert_raised", "异常提醒"


class Fact(Base):
    """One change. `taken_at` is set once the notice intake has seen it; nothing else ever
    changes.
    """

    __tablename__ = "fact"
    __table_args__ = (
        # Read by notify.intake: facts nobody has looked at yet, oldest first.
        Index("ix_fact_waiting", "id", postgresql_where=text("taken_at IS NULL")),
        {"comment": "Changes of the books, in the order they were recorded"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[FactKind]
    unit_id: Mapped[int | None]
    ref_id: Mapped[int] = mapped_column(comment="bill, payment, binding or alert, by kind")
    amount: Mapped[Money | None]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    taken_at: Mapped[datetime | None]


def record(
    session: Session,
    kind: FactKind,
    *,
    community_id: int,
    ref_id: int,
    at: datetime,
    unit_id: int | None = None,
    amount: Money | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Write one fact; it becomes visible, and is announced, only if the transaction commits."""
    session.add(
        Fact(
            community_id=community_id,
            kind=kind,
            unit_id=unit_id,
            ref_id=ref_id,
            amount=amount,
            data=data or {},
            at=at,
        )
    )
    mark_recorded(session)


def mark_recorded(session: Session) -> None:
    """Tell the transaction that facts were written set-wise, past `record`."""
    session.info[FACTS_RECORDED] = True
