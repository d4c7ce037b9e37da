"""Table of ratings (满意度评价): what a person thought of something that was done for him."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.period import Period


class RatedKind(LabelEnum):
    """What is rated."""

    RECEIPT = "receipt", "缴费"
    DISPUTE = "dispute", "费用异议"
    TICKET = "ticket", "工单"


class Score(LabelEnum):
    """What he thought of it."""

    GOOD = "good", "满意"
    FAIR = "fair", "一般"
    BAD = "bad", "不满意"


class Rating(Base):
    """One person's rating of one thing; the last tap of its day."""

    __tablename__ = "rating"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        UniqueConstraint("community_id", "kind", "subject_id", "follower_id"),
        CheckConstraint("words_sealed <> ''", name="words"),
        # Read by reports.satisfaction: the ratings of some days.
        Index("ix_rating_day", "community_id", "rated_on"),
        {"comment": "Ratings (满意度评价) of payments, disputes and tickets, one per person"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[RatedKind]
    subject_id: Mapped[int] = mapped_column(comment="the payment, or the ticket")
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    unit_id: Mapped[int | None]
    period: Mapped[Period | None] = mapped_column(comment="of the bill, the latest of several")
    item_id: Mapped[int | None] = mapped_column(comment="when it was about one item alone")
    staff_id: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="who took the money, answered or closed; null: nobody"
    )
    score: Mapped[Score]
    words_sealed: Mapped[str | None] = mapped_column(comment="what he added, encrypted")
    rated_on: Mapped[date] = mapped_column(comment="business date of the first tap")
    at: Mapped[datetime] = mapped_column(comment="of the last tap")
