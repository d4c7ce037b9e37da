"""Roll-ups: what reports would have to add up from millions of rows, added up beforehand.

They only grow by movements, written by triggers (migration 0024) in the transaction that changes
the books; nobody waits for another's row. `rollups.fold` merges them at night, and a check proves
that they equal the raw rows.
"""

from datetime import date

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.money import Money
from billing.period import Period


class CollectionMove(Base):
    """How what is due and paid on the lines of a month, building and item changed on a day."""

    __tablename__ = "collection_move"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "building_id"], ["building.community_id", "building.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        Index("ix_collection_move_period", "community_id", "period"),
        # Read by rollups.fold.
        Index("ix_collection_move_new", "community_id", postgresql_where=text("NOT is_folded")),
        {"comment": "Roll-up of bill lines, corrections and allocations by day (收缴汇总)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    period: Mapped[Period]
    due_on: Mapped[date]
    building_id: Mapped[int]
    item_id: Mapped[int]
    moved_on: Mapped[date]
    due: Mapped[Money]
    paid: Mapped[Money]
    is_folded: Mapped[bool] = mapped_column(server_default="false")


class OwedMove(Base):
    """How what is owed on a bill changed. Folded, a bill has one row, none when it is paid."""

    __tablename__ = "owed_move"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        Index("ix_owed_move_bill", "community_id", "bill_id"),
        Index("ix_owed_move_new", "community_id", postgresql_where=text("NOT is_folded")),
        {"comment": "Roll-up of what is owed on bills that are not paid (欠费汇总)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    bill_id: Mapped[int]
    unit_id: Mapped[int]
    due_on: Mapped[date]
    amount: Mapped[Money]
    is_folded: Mapped[bool] = mapped_column(server_default="false")
