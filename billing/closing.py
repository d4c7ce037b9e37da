"""Closing a month (关账): after it nothing is posted into the month, corrections go to the open
one.
"""

from datetime import date, datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId
from billing.period import Period


class PeriodClose(Base):
    """This month of this community is closed. The database refuses entries dated in it."""

    __tablename__ = "period_close"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        {"comment": "Closed months (关账)"},
    )

    community_id: Mapped[CommunityId]
    period: Mapped[Period] = mapped_column(primary_key=True)
    closed_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime]


def first_open_day(session: Session, community_id: int, day: date) -> date:
    """The day itself, or the first day after the closed months when it lies in one of them."""
    last: Period | None = session.scalar(
        select(func.max(PeriodClose.period)).where(PeriodClose.community_id == community_id)
    )
    return day if last is None else max(day, last.end)
