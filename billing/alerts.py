"""Alerts: something staff must look at. Told to bound staff at once through a fact."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, GlobalId
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum
from billing.people import Staff

SNOOZED_DAYS_MAX = 90
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
    CHARGES_PARKED = "charges_parked", "自动出账有费用未出"
    HOLIDAYS_UNKNOWN = "holidays_unknown", "下一年节假日未导入"
    USAGE_JUMP = "usage_jump", "用量异常偏高"
    USAGE_ZERO = "usage_zero", "用量突然为零"
    PAYER_STOPPED = "payer_stopped", "一贯按时的住户停缴"
    PAID_TWICE = "paid_twice", "疑似重复缴费"
    PAID_IN_PARTS = "paid_in_parts", "疑似拆分缴费"
    STAFF_PATTERN = "staff_pattern", "员工操作异常集中"
    RATE_DROP = "rate_drop", "楼栋收缴率下降"
    POOL_JUMP = "pool_jump", "公摊费用与去年相差大"
    TARIFF_JUMP = "tariff_jump", "调价使账单大幅变化"
    MONEY_WAITING = "money_waiting", "到账款项久未认领"
    UNDUE_LATE_FEE = "undue_late_fee", "违约金多计，需减免"


class Severity(LabelEnum):
    """How soon somebody must look."""

    HIGH = "high", "紧急"
    MEDIUM = "medium", "尽快"
    LOW = "low", "留意"


class ClosedBecause(LabelEnum):
    """Why an alert closed by itself: its label is the reason that is kept."""

    AGREED = "agreed", "后来的账单与账上一致，自动办结"
    BOOKED = "booked", "已按支付机构的结果入账，自动办结"
    DAY_SETTLED = "day_settled", "这一天的差错都已处理，自动办结"
    DAY_COMPARED = "day_compared", "后来对账完成，自动办结"
    REFUND_DONE = "refund_done", "后来退款到账，自动办结"
    REFUND_ENDED = "refund_ended", "支付机构关闭了退款，钱已转回预存，自动办结"
    JOB_DONE = "job_done", "后来任务运行成功，自动办结"


class Alert(Base):
    """One alert; at most one open per key."""

    __tablename__ = "alert"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        Index("uq_alert_open", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index(
            "ix_alert_standing",
            "community_id",
            "id",
            postgresql_where=text("closed_at IS NULL"),
        ),
        {"comment": "Alerts for staff (异常提醒)"},
    )

    id: Mapped[GlobalId]
    community_id: Mapped[int | None]
    kind: Mapped[AlertKind]
    key: Mapped[str] = mapped_column(comment="a sentence; the same key is not raised twice")
    data: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    severity: Mapped[Severity] = mapped_column(server_default=Severity.HIGH.value)
    unit_id: Mapped[int | None] = mapped_column(comment="the home it is about")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), comment="who sees to it")
    snoozed_until: Mapped[date | None] = mapped_column(comment="not shown before, Beijing date")
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    close_reason: Mapped[str | None] = mapped_column(comment="what came of it")


def raise_alert(
    session: Session,
    kind: AlertKind,
    *,
    key: str,
    community_id: int | None,
    data: dict[str, Any],
    now: datetime,
    severity: Severity = Severity.HIGH,
    unit_id: int | None = None,
) -> bool:
    """Raise an alert and record the fact of it, by which staff are told; a low one has no fact, so
    nobody is told at once. While one with this key is open, do nothing.

    Returns:
        Whether it is new.
    """
    alert_id = session.execute(
        insert(Alert)
        .values(
            community_id=community_id,
            kind=kind,
            key=key,
            data=data,
            raised_at=now,
            severity=severity,
            unit_id=unit_id,
        )
        .on_conflict_do_nothing(index_elements=["key"], index_where=text("closed_at IS NULL"))
        .returning(Alert.id)
    ).scalar_one_or_none()
    if alert_id is not None and severity is not Severity.LOW:
        record(
            session,
            FactKind.ALERT_RAISED,
            community_id=community_id or EVERY_COMMUNITY,
            ref_id=alert_id,
            at=now,
            data={"kind": kind.value, **data},
        )
    return alert_id is not None


def close_alert(
    session: Session,
    alert_id: int,
    now: datetime,
    *,
    by: Staff | None = None,
    reason: str | None = None,
) -> Alert:
    """Say that an alert was dealt with; from then on its key may be raised again.

    Closing twice keeps the first time, person and reason.

    Raises:
        NotFound: there is no such alert.
    """
    alert = _locked(session, alert_id)
    if alert.closed_at is None:
        alert.closed_at = now
        alert.closed_by = by.id if by else None
        alert.close_reason = reason
    return alert


def close_alerts(
    session: Session, keys: Collection[str], now: datetime, because: ClosedBecause
) -> int:
    """Close what is open under some keys, since the matter is over; returns how many were. Nobody
    is told. Calling it again closes nothing more.
    """
    closed = session.execute(
        update(Alert)
        .where(Alert.key.in_(keys), Alert.closed_at.is_(None))
        .values(closed_at=now, close_reason=because.label)
        .returning(Alert.id)
    )
    return len(closed.all())


def take_alert(session: Session, alert_id: int, owner: Staff) -> Alert:
    """Say who sees to an alert; calling it again passes it on.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is closed.
    """
    alert = _open(session, alert_id)
    alert.owner_id = owner.id
    return alert


def snooze_alert(session: Session, alert_id: int, until: date, today: date) -> Alert:
    """Show an alert again on a later day only.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is closed.
        InvalidInput: the day is not within the next `SNOOZED_DAYS_MAX` days.
    """
    if not today < until <= today + timedelta(days=SNOOZED_DAYS_MAX):
        raise InvalidInput("until", f"must be within the next {SNOOZED_DAYS_MAX} days")
    alert = _open(session, alert_id)
    alert.snoozed_until = until
    return alert


def _locked(session: Session, alert_id: int) -> Alert:
    alert = session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    return alert


def _open(session: Session, alert_id: int) -> Alert:
    alert = _locked(session, alert_id)
    if alert.closed_at is not None:
        raise Conflict(f"alert {alert_id} is closed already")
    return alert
