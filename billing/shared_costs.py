"""Shared costs (公摊): costs of a building, an entrance or the community, shared by its homes."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.money import Money
from billing.pricing import ApportionBy


class SharedCost(Base):
    """A cost for a span of days, to be shared by the subjects of its item within its scope.

    Either `amount`, or `quantity` at `unit_price`. Never edited once a line was made from it.
    """

    __tablename__ = "shared_cost"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "usage_item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "building_id"], ["building.community_id", "building.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "entrance_id"], ["entrance.community_id", "entrance.id"]
        ),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        CheckConstraint(
            "(amount IS NULL) = (quantity IS NOT NULL AND unit_price IS NOT NULL)"
            " AND (quantity IS NULL) = (unit_price IS NULL)",
            name="amount_or_usage",
        ),
        CheckConstraint("amount >= 0 AND quantity >= 0 AND unit_price >= 0", name="not_negative"),
        CheckConstraint("(apportion_by = 'usage') = (usage_item_id IS NOT NULL)", name="usage_of"),
        Index("ix_shared_cost_item", "community_id", "item_id", "from_on"),
        {"comment": "Shared costs (公摊费用)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    item_id: Mapped[int]
    building_id: Mapped[int | None] = mapped_column(comment="null: not limited to a building")
    entrance_id: Mapped[int | None] = mapped_column(comment="null: not limited to an entrance")
    from_on: Mapped[date]
    to_on: Mapped[date] = mapped_column(comment="first day the cost is not for")
    amount: Mapped[Money | None]
    quantity: Mapped[Decimal | None]
    unit_price: Mapped[Decimal | None]
    apportion_by: Mapped[ApportionBy]
    usage_item_id: Mapped[int | None] = mapped_column(comment="whose usage weighs, by usage only")
    cap: Mapped[Money | None] = mapped_column(comment="the most one share pays")
    recorded_at: Mapped[datetime]


def weigh(session: Session, cost: SharedCost) -> list[tuple[int, Decimal]]:
    """Subjects that share the cost with their weights, by subject id."""
    weight = "unit.billable_area_m2" if cost.apportion_by is ApportionBy.AREA else "1::numeric"
    rows = session.execute(
        text(
            f"""
            SELECT subject.id, {weight} FROM subject
            JOIN unit ON unit.community_id = subject.community_id AND unit.id = subject.unit_id
            JOIN charge_item item ON item.community_id = subject.community_id
             AND item.id = :item AND item.subject_kind = subject.kind
            WHERE subject.community_id = :c AND subject.billable_from < :to
              AND coalesce(subject.billable_to, 'infinity') > :from
              AND (CAST(:building AS bigint) IS NULL OR unit.building_id = :building)
              AND (CAST(:entrance AS bigint) IS NULL OR unit.entrance_id = :entrance)
            ORDER BY subject.id
            """  # noqa: S608
        ),
        {
            "c": cost.community_id,
            "item": cost.item_id,
            "from": cost.from_on,
            "to": cost.to_on,
            "building": cost.building_id,
            "entrance": cost.entrance_id,
        },
    )
    return [(a, b) for a, b in rows]
