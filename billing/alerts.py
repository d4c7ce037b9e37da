"""Alerts: something staff must look at. Told to bound staff at once through a fact."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, GlobalId
from billing.errors import NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum

EVERY_COMMUNITY = 0
"""Community of the fact of an alert that concerns the whole installation."""


class AlertKind(LabelEnum):
    """What can be wrong."""

    DISCREPANCY = "discrepancy", "支付差错"
    REFUND_ABNORMAL = "refund_abnormal", "退款异常，需到渠道处理"
    REFUND_FAILED = "refund_failed", "退款失败"
    NOT_RECONCILED = "not_reconciled", "对账未完成"
    CODE_GUESSING = "code_guessing", "绑定信息疑似被猜测"
    SENDING_STOPPED = "sending_stopped", "消息发送已停止"
    CHECK_FAILED = "check_failed", "账目自检未通过"
    WEBHOOK_FAILED = "webhook_failed", "外部系统通知未送达"
    JOB_FAILED = "job_failed", "后台任务失败"
    LIMITATION = "limitation", "诉讼时效将满"
    HOLIDAYS_UNKNOWN = "holidays_unknown", "下一年节假日未导入"


class Alert(Base):
    """One alert; at most one open per key."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_open", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
        {"comment": "Alerts for staff (异常提醒)"},
    )

    id: Mapped[GlobalId]
    community_id: Mapped[int | None]
    kind: Mapped[AlertKind]
    key: Mapped[str] = mapped_column(comment="a sentence; the same key is not raised twice")
    data: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


def raise_alert(
    session: Session,
    kind: AlertKind,
    *,
    key: str,
    community_id: int | None,
    data: dict[str, Any],
    now: datetime,
) -> None:
    """Raise an alert and record the fact of it; while one with this key is open, do nothing."""
    alert_id = session.execute(
        insert(Alert)
        .values(community_id=community_id, kind=kind, key=key, data=data, raised_at=now)
        .on_conflict_do_nothing(index_elements=["key"], index_where=text("closed_at IS NULL"))
        .returning(Alert.id)
    ).scalar_one_or_none()
    if alert_id is not None:
        record(
            session,
            FactKind.ALERT_RAISED,
            community_id=community_id or EVERY_COMMUNITY,
            ref_id=alert_id,
            at=now,
            data={"kind": kind.value, **data},
        )


def close_alert(session: Session, alert_id: int, now: datetime) -> Alert:
    """Say that an alert was dealt with; from then on its key may be raised again.

    Closing twice keeps the first time.

    Raises:
        NotFound: there is no such alert.
    """
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    alert.closed_at = alert.closed_at or now
    return alert
