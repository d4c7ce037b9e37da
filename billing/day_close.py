"""Day close (日结): what a community took in a day, written down once as numbers.

A close covers every day after the one before it, the first one its own day alone. What was paid on
a day and booked after that day's close is late: it is in the next close and counted there as such.
So every fen is in exactly one close. The journal's entry numbers are the watermark: whoever posts
holds the community's row, and so does a close, so entries of later bookings have higher numbers.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.business_day import BEIJING, business_date
from billing.db import Base, CommunityId
from billing.errors import Conflict, NotFound
from billing.facts import FactKind, record
from billing.ledger import JournalEntry
from billing.money import Money
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.property import Community


class DayClose(Base):
    """What a community took from the day after its last close through this day."""

    __tablename__ = "day_close"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        CheckConstraint("after < day", name="days_ascend"),
        {"comment": "Day closes (日结), append-only"},
    )

    community_id: Mapped[CommunityId]
    day: Mapped[date] = mapped_column(primary_key=True)
    after: Mapped[date] = mapped_column(comment="the day before the first one covered")
    last_entry_id: Mapped[int] = mapped_column(comment="newest journal entry at the close")
    closed_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime]
    payments: Mapped[int] = mapped_column(comment="payments booked, cancelled ones too")
    amount: Mapped[Money] = mapped_column(comment="their sum, fen")
    channels: Mapped[dict[str, Any]] = mapped_column(
        comment="channel -> {payments, fen}: the same by channel"
    )
    late: Mapped[int] = mapped_column(comment="those of them paid on days closed before")
    late_amount: Mapped[Money]
    cancelled: Mapped[int] = mapped_column(comment="payments taken back at the counter")
    cancelled_amount: Mapped[Money]
    refunded: Mapped[int] = mapped_column(comment="refunds paid out")
    refunded_amount: Mapped[Money]
    first_receipt: Mapped[str | None] = mapped_column(comment="lowest receipt number of them")
    last_receipt: Mapped[str | None]


COUNT_MONEY = text(
    """
    WITH covered AS MATERIALIZED (
        SELECT id, channel, amount, false AS is_late
        FROM payment
        WHERE community_id = :community_id AND state IN ('confirmed', 'reversed')
          AND channel NOT IN ('prepaid', 'imported')
          AND paid_at >= :from_at AND paid_at < :to_at
        UNION ALL
        SELECT payment.id, payment.channel, payment.amount, true
        FROM journal_entry entry
        JOIN payment ON payment.community_id = entry.community_id
         AND payment.id = entry.source_id
        WHERE entry.community_id = :community_id AND entry.id > :seen AND entry.kind = 'payment'
          AND payment.channel NOT IN ('prepaid', 'imported') AND payment.paid_at < :from_at
    )
    SELECT (SELECT count(*) FROM covered) AS payments,
           (SELECT coalesce(sum(amount), 0) FROM covered) AS amount,
           (SELECT coalesce(jsonb_object_agg(channel, jsonb_build_object(
                   'payments', payments, 'fen', fen)), '{}')
            FROM (SELECT channel, count(*) AS payments, sum(amount) AS fen
                  FROM covered GROUP BY channel) each) AS channels,
           (SELECT count(*) FROM covered WHERE is_late) AS late,
           (SELECT coalesce(sum(amount), 0) FROM covered WHERE is_late) AS late_amount,
           (SELECT count(*) FROM covered JOIN receipt_waiting waiting
             ON waiting.community_id = :community_id AND waiting.payment_id = covered.id)
               AS unnumbered,
           first.number AS first_receipt, last.number AS last_receipt
    FROM (SELECT min(year * 1000000000 + no) AS low, max(year * 1000000000 + no) AS high
          FROM receipt WHERE community_id = :community_id
            AND payment_id IN (SELECT id FROM covered)) span
    CROSS JOIN LATERAL (SELECT span.low / 1000000000 || '-'
                               || lpad(CAST(span.low % 1000000000 AS text), 6, '0') AS number) first
    CROSS JOIN LATERAL (SELECT span.high / 1000000000 || '-'
                               || lpad(CAST(span.high % 1000000000 AS text), 6, '0') AS number) last
    """
)
"""What came and is not in an earlier close."""

COUNT_BACK = text(
    """
    SELECT count(*) AS entries, coalesce(sum(entry.total), 0) AS amount
    FROM journal_entry entry
    LEFT JOIN journal_entry undone ON undone.community_id = entry.community_id
          AND undone.id = entry.reverses_id
    WHERE entry.community_id = :community_id
      AND coalesce(undone.kind || ' ', '') || entry.kind = :kinds
      AND entry.effective_on <= :day AND (entry.effective_on > :after OR entry.id > :seen)
    """
)
"""What went back, by the kind of entry, and of the entry it undoes."""

CANCELLED, REFUNDED = "payment reversal", "refund"

OPEN_SHIFTS = text(
    """
    SELECT staff.login FROM cashier_shift shift JOIN staff ON staff.id = shift.cashier_id
    WHERE shift.community_id = :community_id AND shift.closed_at IS NULL
      AND CAST(shift.opened_at AT TIME ZONE 'Asia/Shanghai' AS date) <= :day
    ORDER BY shift.id
    """
)

OPEN_DISCREPANCIES = text(
    """
    SELECT count(*) FROM discrepancy
    WHERE community_id = :community_id AND closed_at IS NULL
      AND coalesce(statement_on, CAST(found_at AT TIME ZONE 'Asia/Shanghai' AS date)) <= :day
    """
)
"""Of the day: the one place that says which."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days a close covers, `after` < day ≤ `day`, and the newest entry already looked at."""

    after: date
    day: date
    seen: int


def close_day(
    session: Session, community_id: int, day: date, *, by: Staff, now: datetime
) -> DayClose:
    """Close a day, for good. Receipts must be numbered first (`receipts.number_waiting`).

    Waits for whoever is posting; who posts later is in the next close.

    Raises:
        NotFound: no such community.
        InvalidInput: `by` may not.
        Conflict: the day is to come, it or a later one is closed already, a shift begun by then is
            open, a discrepancy found by then is open, or receipts wait for their number.
    """
    require_role(by, community_id, BOOKKEEPERS)
    locked = session.scalar(
        select(Community.id).where(Community.id == community_id).with_for_update()
    )
    if locked is None:
        raise NotFound(f"no community {community_id}")
    if day > business_date(now):
        raise Conflict(f"{day} is to come: a day is closed on it, or later")
    span = _span(session, community_id, day)
    _refuse_unfinished(session, community_id, day)
    close = DayClose(
        community_id=community_id,
        day=day,
        after=span.after,
        last_entry_id=_newest_entry(session, community_id),
        closed_by=by.id,
        closed_at=now,
        **count_span(session, community_id, span),
    )
    session.add(close)
    record(
        session,
        FactKind.DAY_CLOSED,
        community_id=community_id,
        ref_id=day.year * 10000 + day.month * 100 + day.day,
        amount=close.amount,
        at=now,
    )
    session.flush()  # the next close in this transaction finds it
    return close


def _span(session: Session, community_id: int, day: date) -> Span:
    last = session.scalar(
        select(DayClose)
        .where(DayClose.community_id == community_id)
        .order_by(DayClose.day.desc())
        .limit(1)
    )
    if last is None:
        # What came before the first close was counted elsewhere.
        return Span(day - timedelta(days=1), day, _newest_entry(session, community_id))
    if last.day >= day:
        raise Conflict(f"days through {last.day} are closed already")
    return Span(last.day, day, last.last_entry_id)


def _newest_entry(session: Session, community_id: int) -> int:
    newest: int | None = session.scalar(
        select(func.max(JournalEntry.id)).where(JournalEntry.community_id == community_id)
    )
    return newest or 0


@dataclass(frozen=True, slots=True)
class DayUnfinished:
    """What keeps a day from being closed: cashiers with an open shift, and open discrepancies."""

    cashiers: tuple[str, ...]
    discrepancies: int


def look_at_day(session: Session, community_id: int, day: date) -> DayUnfinished:
    """What is still to be done before a day can be closed."""
    parameters = {"community_id": community_id, "day": day}
    return DayUnfinished(
        tuple(session.scalars(OPEN_SHIFTS, parameters)),
        session.execute(OPEN_DISCREPANCIES, parameters).scalar_one(),
    )


def _refuse_unfinished(session: Session, community_id: int, day: date) -> None:
    left = look_at_day(session, community_id, day)
    if left.cashiers:
        raise Conflict(f"open shifts of {', '.join(left.cashiers)}: close them before {day}")
    if left.discrepancies:
        raise Conflict(
            f"{left.discrepancies} discrepancies found by {day} are open: close them first"
        )


def count_span(session: Session, community_id: int, span: Span) -> dict[str, Any]:
    """The numbers of a close, by column.

    Raises:
        Conflict: receipts wait for their number.
    """
    parameters = {
        "community_id": community_id,
        "after": span.after,
        "day": span.day,
        "seen": span.seen,
        "from_at": _midnight_after(span.after),
        "to_at": _midnight_after(span.day),
    }
    came = dict(session.execute(COUNT_MONEY, parameters).mappings().one())
    waiting = came.pop("unnumbered")
    if waiting:
        raise Conflict(f"{waiting} receipts wait for their number; number them first")
    cancelled, refunded = (
        session.execute(COUNT_BACK, {**parameters, "kinds": kinds}).one()
        for kinds in (CANCELLED, REFUNDED)
    )
    return {
        **came,
        "amount": Money(int(came["amount"])),
        "late_amount": Money(int(came["late_amount"])),
        "cancelled": cancelled.entries,
        "cancelled_amount": Money(int(cancelled.amount)),
        "refunded": refunded.entries,
        "refunded_amount": Money(int(refunded.amount)),
    }


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), BEIJING)


def list_day_closes(session: Session, community_id: int, *, limit: int = 31) -> list[DayClose]:
    """The latest closes of a community, the newest first."""
    return list(
        session.scalars(
            select(DayClose)
            .where(DayClose.community_id == community_id)
            .order_by(DayClose.day.desc())
            .limit(limit)
        )
    )
