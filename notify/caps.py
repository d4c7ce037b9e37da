"""How many reminders a person gets in a day: so many messages, and the rest waits for the next. On
public holidays there are none, and at night nothing that lets people sleep.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.business_day import BEIJING, business_date
from notify.catalog import NOTICES, NoticeKind
from notify.holidays import read_holidays
from notify.ladder import next_working
from notify.matters import DUNNING
from notify.outbox import Message, MessageState, Notice
from notify.quiet_hours import midnight_after, next_allowed

REMINDERS_PER_DAY = 2
"""Of due dates and arrears together; receipts and everything else are never capped."""

QUIET = frozenset(kind for kind, rule in NOTICES.items() if rule.is_quiet)
NOT_SENT = (MessageState.SUPPRESSED, MessageState.FAILED)


@dataclass(slots=True)
class Reminded:
    """How many reminders these people have today, counted on as messages are made."""

    counts: Counter[int]
    per_day: int
    now: datetime
    holidays: Mapping[date, str]

    @classmethod
    def of(cls, session: Session, notices: Sequence[Notice], now: datetime, per_day: int) -> Self:
        """What the people of these notices have been sent since midnight in Beijing."""
        holidays = read_holidays(session)
        people = {notice.follower_id for notice in notices if notice.kind in DUNNING}
        return cls(count_reminders(session, people, now), per_day, now, holidays)

    def takes(self, notices: Sequence[Notice]) -> bool:
        """Whether these may become a message now; otherwise they wait until the next day that is no
        holiday, at the hour at which they were to come.
        """
        first = notices[0]
        if first.kind not in DUNNING:
            return True
        today = business_date(self.now)
        if today not in self.holidays and self.counts[first.follower_id] < self.per_day:
            self.counts[first.follower_id] += 1
            return True
        day = next_working(today + timedelta(days=1), self.holidays)
        for notice in notices:
            hour = notice.not_before.astimezone(BEIJING).timetz()
            notice.not_before = datetime.combine(day, hour)
        return False


def asleep(now: datetime) -> frozenset[NoticeKind]:
    """Kinds that wait for the morning, because it is night; none by day."""
    return frozenset() if next_allowed(now) == now else QUIET


def held_back(session: Session, now: datetime) -> frozenset[NoticeKind]:
    """Kinds of which no message may set out now, whenever it was made: those that are asleep, and
    on a public holiday reminders.
    """
    is_holiday = business_date(now) in read_holidays(session)
    return asleep(now) | (DUNNING if is_holiday else frozenset())


def count_reminders(session: Session, followers: Collection[int], now: datetime) -> Counter[int]:
    """Reminders by follower that were frozen today and not called off."""
    if not followers:
        return Counter()
    since = midnight_after(business_date(now) - timedelta(days=1))
    rows = session.execute(
        select(Message.follower_id, func.count())
        .where(
            Message.follower_id.in_(followers),
            Message.kind.in_(DUNNING),
            Message.created_at >= since,
            Message.state.not_in(NOT_SENT),
        )
        .group_by(Message.follower_id)
    )
    return Counter({row[0]: row[1] for row in rows})
