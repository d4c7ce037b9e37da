"""Which bills are due to be made: on a community's billing day, and for months that were missed."""

from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from billing.bill_run import RunSummary, run_bills
from billing.bill_run_tables import BillRun, RunKind, RunState
from billing.db import Database
from billing.period import Period
from billing.property import Community
from billing.tariffs import ChargeItem


def missed_periods(session: Session, community_id: int, through: Period) -> list[Period]:
    """Months after the last one that was billed, up to and including `through`, in order.

    A month whose run was killed counts as missed. A community that was never billed begins with
    the month its first charge item begins.
    """
    ran = select(BillRun).where(
        BillRun.community_id == community_id, BillRun.kind == RunKind.REGULAR
    )
    unfinished: Period | None = session.scalar(
        ran.where(BillRun.state == RunState.DRAFTING).with_only_columns(func.min(BillRun.period))
    )
    last: Period | None = session.scalar(ran.with_only_columns(func.max(BillRun.period)))
    if unfinished is not None:
        return unfinished.through(through)
    if last is not None:
        return last.next().through(through)
    begun = session.scalar(
        select(func.min(ChargeItem.active_from)).where(ChargeItem.community_id == community_id)
    )
    return (through if begun is None else Period.of(begun)).through(through)


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
    Safe to repeat, also from two places at once.

    Returns:
        Summaries by code of the community.
    """
    with database.transaction() as session:
        due = [
            (community, missed_periods(session, community.id, Period.of(today)))
            for community in list_due_communities(session, today)
        ]
    return {
        community.code: [
            run_bills(
                database,
                community,
                period,
                today=today,
                now=now,
                publish=community.publishes_itself,
            )
            for period in periods
        ]
        for community, periods in due
    }
