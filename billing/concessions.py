"""Discounts granted and prices agreed with single owners (优惠、约定单价): rules of pricing.

What is given after a bill was issued is a waiver (`adjustments`). A manager approves; what he
approved is kept with his name. Granting, agreeing and ending are in `concession_changes`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.money import Money
from billing.people import Staff
from billing.pricing import DiscountReason
from billing.property import Subject
from billing.tariffs import ChargeItem


class DiscountGrant(Base):
    """A discount of one subject on one item, approved; granted in the order of their ids."""

    __tablename__ = "discount_grant"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "subject_id"], ["subject.community_id", "subject.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        CheckConstraint("(percent IS NULL) <> (amount IS NULL)", name="percent_or_amount"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        Index("ix_discount_grant_subject", "community_id", "subject_id"),
        {"comment": "Discounts granted (优惠)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    subject_id: Mapped[int]
    item_id: Mapped[int]
    reason: Mapped[DiscountReason]
    percent: Mapped[Decimal | None]
    amount: Mapped[Money | None] = mapped_column(comment="off the whole charge of a period, fen")
    from_on: Mapped[date]
    to_on: Mapped[date | None] = mapped_column(comment="first day without; null while it lasts")
    approved_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    granted_at: Mapped[datetime]


class AgreedPrice(Base):
    """A unit price agreed with one owner; takes the place of the tariff's."""

    __tablename__ = "agreed_price"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "subject_id"], ["subject.community_id", "subject.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        Index("ix_agreed_price_subject", "community_id", "subject_id"),
        {"comment": "Unit prices agreed with single owners (约定单价)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    subject_id: Mapped[int]
    item_id: Mapped[int]
    unit_price: Mapped[Decimal]
    from_on: Mapped[date]
    to_on: Mapped[date | None] = mapped_column(comment="first day without; null while it lasts")
    approved_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    agreed_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class GrantedDiscount:
    """A discount with the names of what it is for and of who approved it."""

    grant: DiscountGrant
    subject_code: str
    item_code: str
    approved_by: str


def list_discounts(
    session: Session, community_id: int, *, on: date | None = None
) -> list[GrantedDiscount]:
    """Discounts of a community in the order they were granted.

    Args:
        on: only those that have not ended by this day; None: all.
    """
    rows = (
        select(DiscountGrant, Subject.code, ChargeItem.code, Staff.login)
        .join(
            Subject,
            (Subject.community_id == DiscountGrant.community_id)
            & (Subject.id == DiscountGrant.subject_id),
        )
        .join(
            ChargeItem,
            (ChargeItem.community_id == DiscountGrant.community_id)
            & (ChargeItem.id == DiscountGrant.item_id),
        )
        .join(Staff, Staff.id == DiscountGrant.approved_by)
        .where(DiscountGrant.community_id == community_id)
        .order_by(DiscountGrant.id)
    )
    if on is not None:
        rows = rows.where(or_(DiscountGrant.to_on.is_(None), DiscountGrant.to_on > on))
    return [GrantedDiscount(*row) for row in session.execute(rows)]
