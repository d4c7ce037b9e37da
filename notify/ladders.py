"""Which ladder a community climbs, as staff set it."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.property import Community
from notify.ladder import DEFAULT, Ladder, make_ladder
from notify.ladder_tables import CommunityLadder


def read_ladders(session: Session) -> dict[int, Ladder]:
    """Ladders of the communities that have one of their own; the others climb `ladder.DEFAULT`."""
    return {row.community_id: _ladder(row) for row in session.scalars(select(CommunityLadder))}


def get_ladder(session: Session, community_id: int) -> Ladder:
    """The ladder of a community."""
    row = session.get(CommunityLadder, community_id, populate_existing=True)
    return DEFAULT if row is None else _ladder(row)


def set_ladder(
    session: Session,
    community_id: int,
    *,
    due_soon: Collection[int] | None,
    overdue: Collection[int] | None,
    is_monthly: bool | None,
    today: date,
) -> Ladder:
    """Climb this ladder from today on; None keeps what it is. The same again changes nothing.

    Rungs of days before today are not climbed any more, so that a bill that was reminded of
    yesterday is not again because the rungs were moved.

    Raises:
        InvalidInput: as `make_ladder`.
    """
    # Two at once wait here for each other: what one keeps is what the other set.
    session.execute(
        select(Community.id).where(Community.id == community_id).with_for_update(key_share=True)
    )
    before = get_ladder(session, community_id)
    after = make_ladder(
        before.due_soon if due_soon is None else due_soon,
        before.overdue if overdue is None else overdue,
        is_monthly=before.is_monthly if is_monthly is None else is_monthly,
        since=today,
    )
    if (after.due_soon, after.overdue, after.is_monthly) == (
        before.due_soon,
        before.overdue,
        before.is_monthly,
    ):
        return before
    values = {
        "due_soon": list(after.due_soon),
        "overdue": list(after.overdue),
        "is_monthly": after.is_monthly,
        "since": today,
    }
    session.execute(
        insert(CommunityLadder)
        .values(community_id=community_id, **values)
        .on_conflict_do_update(index_elements=["community_id"], set_=values)
    )
    return after


def _ladder(row: CommunityLadder) -> Ladder:
    return Ladder(tuple(row.due_soon), tuple(row.overdue), row.is_monthly, row.since)
