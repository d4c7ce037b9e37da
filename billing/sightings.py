"""Who saw what of a home: once a day for each person, home and kind of thing.

The log is what a data subject may ask for (PIPL, articles 44 and 45) and what an inquiry begins
with; rows are never changed.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.business_day import business_date
from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.people import Follower, Staff


class Sight(LabelEnum):
    """What of a home can be seen."""

    BILLS = "bills", "账单"
    HISTORY = "history", "历史账单与缴费记录"
    BALANCE = "balance", "预存余额"
    FAPIAO = "fapiao", "发票"
    TOTAL = "total", "待缴合计"
    PEOPLE = "people", "住户"
    PERSONAL = "personal", "完整姓名与电话"


class Sighting(Base):
    """A follower or a member of staff saw something of a home on a day, first at `at`."""

    __tablename__ = "sighting"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        CheckConstraint("(follower_id IS NULL) <> (staff_id IS NULL)", name="one_person"),
        Index(
            "uq_sighting_once_a_day",
            "community_id",
            "unit_id",
            "seen_on",
            "what",
            "follower_id",
            "staff_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        {"comment": "Who saw what of a home, once a day (查阅记录)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("follower.id"))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    what: Mapped[Sight]
    seen_on: Mapped[date] = mapped_column(comment="business date")
    at: Mapped[datetime] = mapped_column(comment="the first time on that day")


NOTE = text(
    """
    INSERT INTO sighting (community_id, unit_id, follower_id, staff_id, what, seen_on, at)
    SELECT home.community_id, home.unit_id, CAST(:follower_id AS bigint),
           CAST(:staff_id AS bigint), :what, :seen_on, :at
    FROM unnest(CAST(:communities AS bigint[]), CAST(:units AS bigint[]))
         AS home (community_id, unit_id)
    ON CONFLICT DO NOTHING
    """
)
"""As text: it is part of nearly every answer, and put together once."""


def note_sightings(
    session: Session,
    homes: Collection[tuple[int, int]],
    what: Sight,
    now: datetime,
    *,
    follower_id: int | None = None,
    staff_id: int | None = None,
) -> None:
    """Write down that a follower or a member of staff sees these homes, as (community, unit).

    One statement; the same again on the same day changes nothing.
    """
    if not homes:
        return
    places = sorted(set(homes))
    session.execute(
        NOTE,
        {
            "communities": [community_id for community_id, _ in places],
            "units": [unit_id for _, unit_id in places],
            "follower_id": follower_id,
            "staff_id": staff_id,
            "what": what.value,
            "seen_on": business_date(now),
            "at": now,
        },
    )


class Seen(NamedTuple):
    """A row of the log with who it was: an openid, or the login of a member of staff."""

    at: datetime
    what: Sight
    openid: str | None
    login: str | None


def list_sightings(
    session: Session, community_id: int, unit_id: int, *, days: int, today: date
) -> Sequence[Seen]:
    """What was seen of a home on the last `days` days, today included, the latest first."""
    rows = session.execute(
        select(Sighting.at, Sighting.what, Follower.openid, Staff.login)
        .outerjoin(Follower, Follower.id == Sighting.follower_id)
        .outerjoin(Staff, Staff.id == Sighting.staff_id)
        .where(
            Sighting.community_id == community_id,
            Sighting.unit_id == unit_id,
            Sighting.seen_on > today - timedelta(days=days),
        )
        .order_by(Sighting.at.desc(), Sighting.id.desc())
    )
    return [Seen(*row) for row in rows]
