"""Prepayments (预存): an owner's money with us, and its automatic use for bills."""

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId


class AutoDeduction(Base):
    """Bills of this home are paid from its prepayment when they are issued (自动抵扣)."""

    __tablename__ = "auto_deduction"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        {"comment": "Charge items paid from a home's prepayment (预存自动抵扣)"},
    )

    community_id: Mapped[CommunityId]
    unit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
