"""What has been learned of the hour: one row per community, one per owner and community."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, Double, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId
from billing.labels import LabelEnum


class Wording(LabelEnum):
    """How a reminder is worded; both say the same."""

    PLAIN = "plain", "平实"
    WARM = "warm", "亲切"


class CommunityTiming(Base):
    """What is known of a community, and how far its messages are counted."""

    __tablename__ = "community_timing"
    __table_args__ = (
        CheckConstraint("weekday_hour BETWEEN 0 AND 23", name="weekday_hour"),
        CheckConstraint("weekend_hour BETWEEN 0 AND 23", name="weekend_hour"),
        {"comment": "When a community's owners react to messages (提醒时间)"},
    )

    community_id: Mapped[int] = mapped_column(
        ForeignKey("community.id"), primary_key=True, autoincrement=False
    )
    is_on: Mapped[bool] = mapped_column(comment="reminders come at the hours learned")
    counted_to: Mapped[datetime] = mapped_column(comment="messages sent before it are counted")
    as_of: Mapped[date] = mapped_column(comment="the day for which the tallies are weighted")
    tries: Mapped[list[float]] = mapped_column(ARRAY(Double), comment="by timing.SLOTS")
    successes: Mapped[list[float]] = mapped_column(ARRAY(Double), comment="by timing.SLOTS")
    weekday_hour: Mapped[int | None] = mapped_column(comment="for whom nothing else is known")
    weekend_hour: Mapped[int | None]
    wordings: Mapped[dict[str, Any]] = mapped_column(
        comment="kind of notice, wording: [tries, successes], weighted as the tallies"
    )


class OwnerTiming(Base):
    """What is known of a follower in a community, and the hours chosen by it."""

    __tablename__ = "owner_timing"
    __table_args__ = (
        CheckConstraint("weekday_hour BETWEEN 0 AND 23", name="weekday_hour"),
        CheckConstraint("weekend_hour BETWEEN 0 AND 23", name="weekend_hour"),
        CheckConstraint("trial_hour BETWEEN 0 AND 23", name="trial_hour"),
        CheckConstraint("(trial_hour IS NULL) = (trial_is_weekend IS NULL)", name="trial_slot"),
        {"comment": "When a follower reacts to messages, and when he is reminded (提醒时间)"},
    )

    community_id: Mapped[CommunityId] = mapped_column(ForeignKey("community.id"))
    follower_id: Mapped[int] = mapped_column(
        ForeignKey("follower.id"), primary_key=True, autoincrement=False
    )
    as_of: Mapped[date] = mapped_column(comment="the day for which the tallies are weighted")
    tries: Mapped[list[float]] = mapped_column(ARRAY(Double), comment="by timing.SLOTS")
    successes: Mapped[list[float]] = mapped_column(ARRAY(Double), comment="by timing.SLOTS")
    sent: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="reminders, by timing.SLOTS")
    reacted: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="to so many of them")
    weekday_hour: Mapped[int | None]
    weekend_hour: Mapped[int | None]
    trial_is_weekend: Mapped[bool | None]
    trial_hour: Mapped[int | None] = mapped_column(comment="an unlikely hour, to be tried once")
    tried_on: Mapped[date | None] = mapped_column(comment="when it was")
    since_trial: Mapped[int] = mapped_column(comment="reminders since an unlikely hour was tried")
    forgotten_at: Mapped[datetime | None] = mapped_column(
        comment="messages sent before it are not counted any more"
    )
