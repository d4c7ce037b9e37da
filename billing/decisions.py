"""What waits for somebody to decide about money: counted, with the oldest of each."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, cast, func, null, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import InstrumentedAttribute

from billing.direct_debit.tables import BatchState, DirectDebitBatch
from billing.discrepancies import Discrepancy
from billing.fapiao_tables import Fapiao, FapiaoState
from billing.labels import LabelEnum
from billing.money import Money
from billing.payment_tables import Payment
from billing.refund_tables import Refund, RefundStage
from billing.statements.tables import OPEN_ROWS, BankRow


class Decision(LabelEnum):
    """What somebody has to decide, or to do by hand."""

    APPROVE_REFUND = "approve_refund", "退款待审批"
    PAY_OUT_REFUND = "pay_out_refund", "退款待付款"
    ABNORMAL_REFUND = "abnormal_refund", "退款异常"
    BANK_ROW = "bank_row", "银行来款待认领"
    DISCREPANCY = "discrepancy", "对账差错"
    FAPIAO = "fapiao", "发票待开具"
    SEND_DEBIT = "send_debit", "托收批次待送盘"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many of one kind wait, their sum where they have one, and since when the oldest does."""

    decision: Decision
    count: int
    amount: Money | None
    since: date | None


def list_waiting(session: Session, community_id: int, today: date) -> list[Waiting]:
    """Everything that waits in a community, kind by kind; those with nothing are there as zero."""
    by_hand = select(Payment.id).where(
        Payment.community_id == Refund.community_id,
        Payment.id == Refund.payment_id,
        Payment.merchant_id.is_(None),
    )
    mine = Refund.community_id == community_id
    return [
        _count(
            session,
            Decision.APPROVE_REFUND,
            Refund.amount,
            Refund.requested_at,
            mine,
            Refund.state == RefundStage.REQUESTED,
        ),
        _count(
            session,
            Decision.PAY_OUT_REFUND,
            Refund.amount,
            Refund.approved_at,
            mine,
            Refund.state == RefundStage.APPROVED,
            by_hand.exists(),
        ),
        _count(
            session,
            Decision.ABNORMAL_REFUND,
            Refund.amount,
            Refund.approved_at,
            mine,
            Refund.state == RefundStage.ABNORMAL,
        ),
        _count(
            session,
            Decision.BANK_ROW,
            BankRow.amount,
            BankRow.value_at,
            BankRow.community_id == community_id,
            BankRow.state.in_(OPEN_ROWS),
        ),
        _count(
            session,
            Decision.DISCREPANCY,
            None,
            Discrepancy.found_at,
            or_(Discrepancy.community_id == community_id, Discrepancy.community_id.is_(None)),
            Discrepancy.closed_at.is_(None),
        ),
        _count(
            session,
            Decision.FAPIAO,
            Fapiao.amount,
            Fapiao.requested_at,
            Fapiao.community_id == community_id,
            Fapiao.state == FapiaoState.REQUESTED,
        ),
        _count(
            session,
            Decision.SEND_DEBIT,
            None,
            DirectDebitBatch.sent_from,
            DirectDebitBatch.community_id == community_id,
            DirectDebitBatch.state == BatchState.MADE,
            DirectDebitBatch.sent_from <= today,
        ),
    ]


def _count(
    session: Session,
    decision: Decision,
    amount: InstrumentedAttribute[Money] | None,
    at: InstrumentedAttribute[object],
    *conditions: ColumnElement[bool],
) -> Waiting:
    oldest: ColumnElement[Any] = func.min(at)
    if not isinstance(at.type, Date):
        oldest = cast(func.timezone("Asia/Shanghai", oldest), Date)
    total: ColumnElement[Any] = null() if amount is None else func.coalesce(func.sum(amount), 0)
    count, since, found = session.execute(
        select(func.count(), oldest, total).where(*conditions)
    ).one()
    return Waiting(decision, count, found, since)
