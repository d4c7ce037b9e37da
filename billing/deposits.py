"""Deposits (押金): taken, returned, or kept for damage. Somebody else's money until then."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class DepositMove(LabelEnum):
    """What happens to a deposit."""

    TAKEN = "taken", "收取"
    RETURNED = "returned", "退还"
    FORFEITED = "forfeited", "抵扣"


class Deposit(Base):
    """A deposit of one home for one purpose, e.g. 装修押金."""

    __tablename__ = "deposit"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        UniqueConstraint("community_id", "number"),
        Index("ix_deposit_unit", "community_id", "unit_id"),
        {"comment": "Deposits (押金)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    number: Mapped[str] = mapped_column(comment="of the paper handed out; taking it twice is seen")
    unit_id: Mapped[int]
    purpose: Mapped[str]


class DepositMovement(Base):
    """One movement of a deposit, positive. What is held is taken − returned − forfeited, never
    below zero.
    """

    __tablename__ = "deposit_movement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "deposit_id"], ["deposit.community_id", "deposit.id"]
        ),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_deposit_movement_deposit", "community_id", "deposit_id"),
        {"comment": "Movements of deposits"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    deposit_id: Mapped[int]
    move: Mapped[DepositMove]
    amount: Mapped[Money]
    moved_on: Mapped[date]
    reason: Mapped[str]
    moved_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    moved_at: Mapped[datetime]
