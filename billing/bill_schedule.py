"""Which bills are due to be made: on a community's billing day, and for months that were missed."""

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, Severity, raise_alert
from billing.bill_run import RunSummary, run_bills
from billing.bill_run_tables import BillRun, RunKind, RunState
from billing.db import Database
from billing.errors import InvalidInput
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.period import Period, add_months, day_of_month
from billing.property import Community

BILLING_DAY_MAX = 28
DUE_DAY_MAX = 31
DUE_MONTHS_MAX = 12


def missed_periods(session: Session, community_id: int, through: Period) -> list[Period]:
    """Months since the first one that was billed that have no finished run, up to and including
    `through`, in order.

    A month that was run ahead, or before a gap, hides none of the others. A month whose run was
    killed counts as missed. A community that was never billed begins with `through`: what it was
    owed before came along as opening balances, or is run by hand.
    """
    states: dict[Period, set[RunState]] = defaultdict(set)
    for period, state in session.execute(
        select(BillRun.period, BillRun.state).where(
            BillRun.community_id == community_id, BillRun.kind == RunKind.REGULAR
        )
    ):
        states[period].add(state)
    first = min(states, default=through)
    return [period for period in first.through(through) if states[period] != {RunState.DRAFTED}]


def set_schedule(
    session: Session,
    community_id: int,
    *,
    billing_day: int,
    publishes_itself: bool,
    by: Staff,
) -> None:
    """Say on which day of the month a community is billed, and whether its bills are issued at once
    or wait, as drafts, for staff. What is drafted already stays as it is.

    Raises:
        InvalidInput: no day from 1 to 28, or `by` may not.
    """
    require_role(by, community_id, BOOKKEEPERS)
    if not 1 <= billing_day <= BILLING_DAY_MAX:
        raise InvalidInput("billing_day", f"must be 1 to {BILLING_DAY_MAX}, which every month has")
    session.execute(
        update(Community)
        .where(Community.id == community_id)
        .values(billing_day=billing_day, publishes_itself=publishes_itself)
    )


def set_due_day(
    session: Session, community_id: int, *, due_day: int, due_month_offset: int, by: Staff
) -> None:
    """Say by which day bills have to be paid; it holds for bills issued from now on.

    Args:
        due_day: 31 is the last day of every month.
        due_month_offset: months granted, as `period.due_on` counts them.

    Raises:
        InvalidInput: no day from 1 to 31, no month from 0 to 12, or `by` may not.
    """
    require_role(by, community_id, BOOKKEEPERS)
    if not 1 <= due_day <= DUE_DAY_MAX:
        raise InvalidInput("due_day", f"must be 1 to {DUE_DAY_MAX}; {DUE_DAY_MAX} is the last day")
    if not 0 <= due_month_offset <= DUE_MONTHS_MAX:
        raise InvalidInput("due_month_offset", f"must be 0 to {DUE_MONTHS_MAX} months")
    session.execute(
        update(Community)
        .where(Community.id == community_id)
        .values(due_day=due_day, due_month_offset=due_month_offset)
    )


def next_billing_day(community: Community, today: date) -> date:
    """The first billing day after today."""
    this = day_of_month(today.year, today.month, community.billing_day)
    if this > today:
        return this
    ahead = add_months(today.replace(day=1), 1)
    return day_of_month(ahead.year, ahead.month, community.billing_day)


def list_due_communities(session: Session, today: date) -> list[Community]:
    """Communities whose billing day of this month has come and whose month is not billed yet."""
    billed = exists().where(
        BillRun.community_id == Community.id,
        BillRun.kind == RunKind.REGULAR,
        BillRun.state == RunState.DRAFTED,
        BillRun.period == Period.of(today),
    )
    return list(
        session.scalars(
            select(Community)
            .where(Community.billing_day <= today.day, ~billed)
            .order_by(Community.id)
        )
    )


def run_due(database: Database, *, today: date, now: datetime) -> dict[str, list[RunSummary]]:
    """What cron does every day: bill the communities whose day has come, months missed first.

    A community that publishes by itself has its bills issued, another gets drafts for its staff.
    An alert tells them of charges that were parked, as nobody need be looking.
    Safe to repeat, also from two places at once.

    Returns:
        Summaries by code of the community.

    Raises:
        ExceptionGroup: runs that failed, after every other community was billed.
    """
    with database.transaction() as session:
        due = [
            (community, missed_periods(session, community.id, Period.of(today)))
            for community in list_due_communities(session, today)
        ]
    done: dict[str, list[RunSummary]] = {}
    failed: list[Exception] = []
    for community, periods in due:
        publish = community.publishes_itself
        try:
            done[community.code] = [
                _run(database, community, period, today=today, now=now, publish=publish)
                for period in periods
            ]
        except Exception as error:  # one community's trouble is not the next one's
            error.add_note(f"bill run of community {community.code}")
            failed.append(error)
    if failed:
        raise ExceptionGroup("bill runs failed", failed)
    return done


def _run(
    database: Database,
    community: Community,
    period: Period,
    *,
    today: date,
    now: datetime,
    publish: bool,
) -> RunSummary:
    summary = run_bills(database, community, period, today=today, now=now, publish=publish)
    if summary.parked:
        with database.transaction() as session:
            raise_alert(
                session,
                AlertKind.CHARGES_PARKED,
                key=f"charges parked by run {summary.run_id}",
                community_id=community.id,
                data={"period": str(period), "charges": summary.parked.total()},
                now=now,
                severity=Severity.MEDIUM,
            )
    return summary
