"""Each community's ladder, what its rungs brought, and the public holidays on which nobody is
reminded.
"""

from datetime import date

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId


class CommunityLadder(Base):
    """When a community reminds of bills; without a row, as `ladder.DEFAULT`."""

    __tablename__ = "community_ladder"
    __table_args__ = (
        CheckConstraint("NOT is_monthly OR cardinality(overdue) > 0", name="monthly_goes_on"),
        {"comment": "When a community reminds of bills (催缴阶梯)"},
    )

    community_id: Mapped[int] = mapped_column(
        ForeignKey("community.id"), primary_key=True, autoincrement=False
    )
    due_soon: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), comment="days before the due date, the earliest first; 0: on it"
    )
    overdue: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="days after the due date")
    is_monthly: Mapped[bool] = mapped_column(comment="then once a month")
    since: Mapped[date] = mapped_column(comment="rungs of earlier days are not climbed")


class PublicHoliday(Base):
    """A day off, as the State Council announces it. A year with a row here is taken from here."""

    __tablename__ = "public_holiday"
    __table_args__ = ({"comment": "Public holidays (法定节假日), when nobody is reminded"},)

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str]


class RungCount(Base):
    """What came of a rung on which a chunk's bills stood, counted once its days are over."""

    __tablename__ = "rung_count"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "run_id", "chunk_no"],
            ["bill_run_chunk.community_id", "bill_run_chunk.run_id", "bill_run_chunk.no"],
        ),
        {"comment": "Which rungs made people pay, by chunk (催缴阶梯效果)"},
    )

    community_id: Mapped[CommunityId]
    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chunk_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(primary_key=True, comment="of the rung, e.g. T+7")
    day: Mapped[date] = mapped_column(comment="on which its bills stood on it")
    told: Mapped[int] = mapped_column(comment="bills somebody was told of")
    told_paid: Mapped[int] = mapped_column(comment="of these, paid on that day or the next")
    untold: Mapped[int]
    untold_paid: Mapped[int]
