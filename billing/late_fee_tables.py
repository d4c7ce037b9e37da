"""Tables of late fees (违约金): what the contract says, and when it is not counted."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum


class LateFeeCap(LabelEnum):
    """The most a late fee may reach."""

    PRINCIPAL = "principal", "不超过欠费本金"
    NONE = "none", "不封顶"


class LateFeePolicy(Base):
    """The late-fee clause of a community's contract, in force from a date. None: no late fee.

    Grace days and cap are those of the version in force on the day after the due date; the daily
    rate changes from day to day with the versions.
    """

    __tablename__ = "late_fee_policy"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "effective_from"),
        CheckConstraint("daily_rate BETWEEN 0 AND 1", name="daily_rate"),
        CheckConstraint("grace_days BETWEEN 0 AND 3650", name="grace_days"),
        {"comment": "Late-fee clauses (违约金条款), by date"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    effective_from: Mapped[date]
    daily_rate: Mapped[Decimal] = mapped_column(comment="0.0005 is 0.05 % a day")
    grace_days: Mapped[int]
    cap: Mapped[LateFeeCap]
    document: Mapped[str] = mapped_column(comment="contract clause shown to owners")


class LateFeeFreeze(Base):
    """Days on which no late fee is counted for a home, e.g. while a dispute is open."""

    __tablename__ = "late_fee_freeze"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        Index("ix_late_fee_freeze_unit", "community_id", "unit_id"),
        {"comment": "Days without late fee (违约金冻结)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    from_on: Mapped[date]
    to_on: Mapped[date | None] = mapped_column(
        comment="first day counted again; null: still frozen"
    )
    reason: Mapped[str]
    decided_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime]
    lift_reason: Mapped[str | None] = mapped_column(comment="why it ended; null: it was to end so")
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
