"""When a follower wants to be reminded, and whether before the due date at all.

Bills, receipts and what is overdue are owed to him and come all the same; a pause holds back
reminders of both kinds for a while. Read when reminders are written, and before they are sent.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base
from billing.errors import InvalidInput
from notify.quiet_hours import DAY_BEGINS, DAY_ENDS


class NoticePreference(Base):
    """What one follower chose; no row: nothing."""

    __tablename__ = "notice_preference"
    __table_args__ = (
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour_of_a_day"),
        {"comment": "When followers want to be reminded (提醒设置)"},
    )

    follower_id: Mapped[int] = mapped_column(
        ForeignKey("follower.id"), primary_key=True, autoincrement=False
    )
    hour: Mapped[int | None] = mapped_column(comment="of the day in Beijing; null: ours")
    is_off: Mapped[bool] = mapped_column(comment="no reminders before the due date")
    paused_until: Mapped[date | None] = mapped_column(comment="first day of reminders again")
    by_habit: Mapped[bool] = mapped_column(
        server_default="true", comment="the hour may be learned from what he does"
    )
    changed_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Preference:
    """What a follower chose. `paused_until` is the first day reminders come again; `by_habit`: the
    hour may be learned from what he does.
    """

    hour: int | None = None
    is_off: bool = False
    paused_until: date | None = None
    by_habit: bool = True


def find_preference(session: Session, follower_id: int) -> Preference:
    """What this follower chose; the usual when nothing."""
    return read_preferences(session, [follower_id]).get(follower_id, Preference())


def read_preferences(session: Session, followers: Collection[int]) -> dict[int, Preference]:
    """What these followers chose; who chose nothing is left out."""
    rows = session.scalars(
        select(NoticePreference).where(NoticePreference.follower_id.in_(followers))
    )
    return {
        row.follower_id: Preference(row.hour, row.is_off, row.paused_until, row.by_habit)
        for row in rows
    }


def keep_preference(
    session: Session, follower_id: int, wanted: Preference, now: datetime
) -> Preference:
    """Keep what a follower chose instead of what he chose before; safe to repeat. The caller lets
    one sentence of a follower be answered at a time (`bot.conversation`).

    Raises:
        InvalidInput: an hour in which nobody is reminded.
    """
    if wanted.hour is not None and not DAY_BEGINS.hour <= wanted.hour < DAY_ENDS.hour:
        raise InvalidInput("hour", f"must be from {DAY_BEGINS.hour} to {DAY_ENDS.hour - 1}")
    session.merge(
        NoticePreference(
            follower_id=follower_id,
            hour=wanted.hour,
            is_off=wanted.is_off,
            paused_until=wanted.paused_until,
            by_habit=wanted.by_habit,
            changed_at=now,
        )
    )
    return wanted
