"""The daily digest: what the day was, for every member of staff who bound his WeChat.

The figures are those of the moment it is written; a day on which nothing happened and nothing waits
is not told of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.alerts import EVERY_COMMUNITY, Alert
from billing.business_day import business_date
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.people import Staff
from billing.property import Community
from billing.reports.arrears import list_arrears
from billing.reports.scope import Scope
from billing.ticket_tables import Ticket, TicketState
from notify.catalog import NOTICES, Matter, NoticeKind
from notify.outbox import Message, MessageState, Notice, NoticeState
from notify.quiet_hours import midnight_after

NO_MONEY_IN = (PaymentChannel.PREPAID, PaymentChannel.IMPORTED)
"""Channels by which nothing came today: what is prepaid came before."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came by one channel."""

    channel: PaymentChannel
    payments: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Day:
    """A community's day until now.

    Attributes:
        taken: by channel, the most first.
        homes, overdue: how many homes owe how much past the due date.
        alerts, tickets: open ones.
        failed: messages given up today.
    """

    name: str
    taken: tuple[Taken, ...]
    homes: int
    overdue: Money
    alerts: int
    tickets: int
    failed: int

    @property
    def total(self) -> Money:
        """What came in all."""
        return sum((one.amount for one in self.taken), ZERO)

    @property
    def is_quiet(self) -> bool:
        """Nothing came and nothing waits; arrears alone are no news."""
        return not (self.taken or self.alerts or self.tickets or self.failed)

    def as_json(self) -> dict[str, Any]:
        """As stored with the notice."""
        taken = [[one.channel.value, one.payments, one.amount.fen] for one in self.taken]
        return {
            "name": self.name,
            "taken": taken,
            "homes": self.homes,
            "overdue": self.overdue.fen,
            "alerts": self.alerts,
            "tickets": self.tickets,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """As read back."""
        taken = tuple(
            Taken(PaymentChannel(channel), count, Money(fen))
            for channel, count, fen in stored["taken"]
        )
        return cls(**{**stored, "taken": taken, "overdue": Money(stored["overdue"])})


def read_digest(data: Mapping[str, Any]) -> tuple[Day, ...]:
    """The days of a digest's notice."""
    return tuple(Day.from_json(day) for day in data["days"])


def write_digests(session: Session, now: datetime) -> int:
    """Tell every bound member of staff of today, in one message; returns how many were written.
    Safe to call twice: a day is told once.
    """
    staff = session.scalars(
        select(Staff)
        .where(Staff.follower_id.is_not(None), Staff.left_at.is_(None))
        .order_by(Staff.id)
    ).all()
    communities = session.scalars(select(Community).order_by(Community.id)).all() if staff else []
    days = {community.id: read_day(session, community, now) for community in communities}
    written = 0
    for member in staff:
        own = (
            days.items()
            if member.community_id is None
            else [(member.community_id, days[member.community_id])]
        )
        told = [day.as_json() for _, day in own if not day.is_quiet]
        if told:
            written += _write(session, member, told, now)
    return written


def _write(session: Session, member: Staff, days: list[dict[str, Any]], now: datetime) -> int:
    today = business_date(now)
    rule = NOTICES[NoticeKind.DAILY_DIGEST]
    row = insert(Notice).values(
        community_id=member.community_id or EVERY_COMMUNITY,
        follower_id=member.follower_id,
        kind=NoticeKind.DAILY_DIGEST,
        urgency=rule.urgency,
        fact_key=f"{Matter.DIGEST.value}:{today}",
        unit_id=None,
        ref_id=today.toordinal(),
        data={"days": days},
        state=NoticeState.QUEUED,
        created_at=now,
        not_before=now,
        expires_at=now + rule.life,
    )
    done = session.execute(row.on_conflict_do_nothing().returning(Notice.id))
    return len(done.all())


def read_day(session: Session, community: Community, now: datetime) -> Day:
    """A community's day until now, in Beijing."""
    today = business_date(now)
    begins = midnight_after(today - timedelta(days=1))
    taken = session.execute(
        select(Payment.channel, func.count(), func.sum(Payment.amount))
        .where(
            Payment.community_id == community.id,
            Payment.state == PaymentState.CONFIRMED,
            Payment.channel.not_in(NO_MONEY_IN),
            Payment.confirmed_at >= begins,
            Payment.confirmed_at <= now,
        )
        .group_by(Payment.channel)
        .order_by(func.sum(Payment.amount).desc(), Payment.channel)
    )
    late = list_arrears(session, Scope(community.id), today)
    return Day(
        name=community.name,
        taken=tuple(Taken(*row) for row in taken),
        homes=len(late),
        overdue=sum((one.owed for one in late), ZERO),
        alerts=_count(
            session,
            select(func.count(Alert.id)).where(
                Alert.closed_at.is_(None),
                or_(Alert.community_id == community.id, Alert.community_id.is_(None)),
            ),
        ),
        tickets=_count(
            session,
            select(func.count(Ticket.id)).where(
                Ticket.community_id == community.id, Ticket.state == TicketState.OPEN
            ),
        ),
        failed=_count(
            session,
            select(func.count(Message.id)).where(
                Message.community_id == community.id,
                Message.state == MessageState.FAILED,
                Message.settled_at >= begins,
            ),
        ),
    )


def _count(session: Session, query: Any) -> int:
    return int(session.scalar(query) or 0)
