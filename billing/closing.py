"""Closing a month (关账): after it nothing is posted into the month, corrections go to the open
one. And the trial balance (试算平衡), by which the months are compared.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    false,
    func,
    select,
    text,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from billing.adjustment_tables import is_void
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.bills import Bill
from billing.business_day import BEIJING, business_date
from billing.db import Base, CommunityId
from billing.errors import Conflict, NotFound
from billing.facts import FactKind, record
from billing.ledger import Account, JournalEntry, Posting
from billing.money import Money
from billing.payment_tables import OPEN_STATES, Payment
from billing.payments import PATIENCE
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.period import Period
from billing.property import Community


class PeriodClose(Base):
    """This month of this community is closed. The database refuses entries dated in it or before.

    What was counted at the close proves later that nothing was added to it or taken from it.
    """

    __tablename__ = "period_close"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        {"comment": "Closed months (关账)"},
    )

    community_id: Mapped[CommunityId]
    period: Mapped[Period] = mapped_column(primary_key=True)
    closed_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime]
    entries: Mapped[int] = mapped_column(comment="journal entries dated in the month or before")
    total: Mapped[Money] = mapped_column(comment="sum of their totals, fen")


FIRST_OPEN_DAY = text("SELECT first_open_day(:community_id, :day)")


def first_open_day(session: Session, community_id: int, day: date) -> date:
    """The day itself, or the first day after the closed months when it lies in one of them.

    Every posting of the core is dated so. Until the caller's transaction ends the answer holds: no
    month is closed meanwhile. Lock order: payment, unit, community.
    """
    # In the database, as it locks what a posting's foreign key locks anyway, only before the
    # question instead of after it, and both are one round trip: migration 0009.
    first: date = session.execute(
        FIRST_OPEN_DAY, {"community_id": community_id, "day": day}
    ).scalar_one()
    return first


def _last_closed(session: Session, community_id: int) -> Period | None:
    last: Period | None = session.scalar(
        select(func.max(PeriodClose.period)).where(PeriodClose.community_id == community_id)
    )
    return last


def close_period(
    session: Session, community_id: int, period: Period, *, by: Staff, now: datetime
) -> PeriodClose:
    """Close a month, for good. Waits for whoever is posting; whoever comes later posts into the
    next month.

    Months are closed one after the other, the first of them being the month of the oldest entry.
    Calling it again is refused.

    Raises:
        NotFound: no such community.
        InvalidInput: `by` may not close.
        Conflict: closed already, not the next in order, not over yet, draft bills are left, or
            payments begun in it may still arrive.
    """
    require_role(by, community_id, BOOKKEEPERS)
    community = session.scalar(
        select(Community.id).where(Community.id == community_id).with_for_update()
    )
    if community is None:
        raise NotFound(f"no community {community_id}")
    _refuse_out_of_order(session, community_id, period, business_date(now))
    _refuse_unfinished(session, community_id, period, now)
    entries, total = session.execute(
        select(func.count(), func.coalesce(func.sum(JournalEntry.total), 0)).where(
            JournalEntry.community_id == community_id, JournalEntry.effective_on < period.end
        )
    ).one()
    close = PeriodClose(
        community_id=community_id,
        period=period,
        closed_by=by.id,
        closed_at=now,
        entries=entries,
        total=total,
    )
    session.add(close)
    record(
        session,
        FactKind.PERIOD_CLOSED,
        community_id=community_id,
        ref_id=period.start.year * 100 + period.start.month,
        at=now,
        data={"period": str(period)},
    )
    session.flush()  # the next close in this transaction finds it
    return close


def _refuse_out_of_order(session: Session, community_id: int, period: Period, today: date) -> None:
    last = _last_closed(session, community_id)
    if last is not None and period <= last:
        raise Conflict(f"{period} is closed already: the books are closed through {last}")
    if period.end > today:
        raise Conflict(f"{period} is not over: a month is closed after its last day, today {today}")
    oldest = session.scalar(
        select(func.min(JournalEntry.effective_on)).where(JournalEntry.community_id == community_id)
    )
    if last is not None:
        turn = last.next()
    else:
        turn = period if oldest is None else min(period, Period.of(oldest))
    if period != turn:
        raise Conflict(f"months are closed in order: close {turn} before {period}")


@dataclass(frozen=True, slots=True)
class MonthUnfinished:
    """What keeps a month from being closed: drafts, and payments that may still arrive."""

    drafts: int
    open_payments: int


def look_at_month(
    session: Session, community_id: int, period: Period, now: datetime
) -> MonthUnfinished:
    """What is still to be done before a month can be closed."""
    drafts: int | None = session.scalar(
        select(func.count())
        .select_from(Bill)
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .where(
            Bill.community_id == community_id,
            Bill.period <= period,
            BillRunChunk.state == ChunkState.DRAFT,
            ~is_void(Bill.community_id, Bill.id),
        )
    )
    # One nobody could settle for longer than this would keep the month open for ever; should its
    # money come after all, it is booked into the open month.
    midnight = datetime.combine(period.end, datetime.min.time(), BEIJING)
    open_payments: int | None = session.scalar(
        select(func.count()).where(
            Payment.community_id == community_id,
            Payment.state.in_(OPEN_STATES),
            Payment.prepared_at < midnight,
            Payment.prepared_at >= now - PATIENCE,
        )
    )
    return MonthUnfinished(drafts or 0, open_payments or 0)


def _refuse_unfinished(session: Session, community_id: int, period: Period, now: datetime) -> None:
    left = look_at_month(session, community_id, period, now)
    if left.drafts:
        raise Conflict(
            f"{left.drafts} draft bills of {period} or before: publish or void them first"
        )
    if left.open_payments:
        raise Conflict(
            f"{left.open_payments} payments begun in {period} may still arrive: close it when they"
            " are settled, at the latest a day after they were begun"
        )


def next_to_close(session: Session, community_id: int, today: date) -> Period:
    """The month whose turn it is to be closed; perhaps it is not over yet."""
    last = _last_closed(session, community_id)
    if last is not None:
        return last.next()
    oldest = session.scalar(
        select(func.min(JournalEntry.effective_on)).where(JournalEntry.community_id == community_id)
    )
    return Period.of(oldest or today)


def list_period_closes(
    session: Session, community_id: int, *, limit: int = 24
) -> list[PeriodClose]:
    """The latest closed months, the newest first."""
    return list(
        session.scalars(
            select(PeriodClose)
            .where(PeriodClose.community_id == community_id)
            .order_by(PeriodClose.period.desc())
            .limit(limit)
        )
    )


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """One account: `opening` + `debit` − `credit` = `balance`, all in fen; credit balances are
    negative.
    """

    account: str
    name: str
    opening: Money
    debit: Money
    credit: Money
    balance: Money


def trial_balance(
    session: Session, community_id: int, period: Period | None
) -> list[TrialBalanceRow]:
    """What moved on every account in a month (试算平衡表), by account code; accounts without any
    entry too.

    Opening and closing balances sum to zero, debits equal credits. Without a period: everything
    ever posted, from nothing.
    """
    before: ColumnElement[bool] = false()
    within: ColumnElement[bool] = true()
    if period is not None:
        before = JournalEntry.effective_on < period.start
        within = (JournalEntry.effective_on >= period.start) & (
            JournalEntry.effective_on < period.end
        )

    def total(
        side: InstrumentedAttribute[Money], when: ColumnElement[bool]
    ) -> ColumnElement[Money]:
        return func.coalesce(func.sum(side).filter(when), 0)

    rows = session.execute(
        select(
            Account.code,
            Account.name,
            total(Posting.debit, before),
            total(Posting.credit, before),
            total(Posting.debit, within),
            total(Posting.credit, within),
        )
        .outerjoin(
            Posting,
            (Posting.community_id == Account.community_id) & (Posting.account_id == Account.id),
        )
        .outerjoin(
            JournalEntry,
            (JournalEntry.community_id == Posting.community_id)
            & (JournalEntry.id == Posting.entry_id),
        )
        .where(Account.community_id == community_id)
        .group_by(Account.code, Account.name)
        .order_by(Account.code)
    )
    return [
        TrialBalanceRow(
            code,
            name,
            debit_before - credit_before,
            debit,
            credit,
            debit_before - credit_before + debit - credit,
        )
        for code, name, debit_before, credit_before, debit, credit in rows
    ]
