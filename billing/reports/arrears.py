"""欠费名单: who owes how much, since when."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from billing.db import id_array
from billing.money import Money
from billing.people import Occupancy, Resident, ResidentRole
from billing.reports.scope import LATE_LINES, Scope

BY_HOME = text(
    f"""
    WITH line AS ({LATE_LINES}),
    late AS (  -- a bill is owed as a whole: a discount lowers the line it is for
        SELECT unit_id, room, bill_id, period, due_on, sum(due - paid) AS owed
        FROM line GROUP BY 1, 2, 3, 4, 5 HAVING sum(due - paid) > 0
    )
    SELECT unit_id, room, count(DISTINCT period) AS periods, min(due_on) AS oldest_due_on,
           sum(owed) AS owed
    FROM late
    GROUP BY unit_id, room
    HAVING sum(owed) >= :at_least
    ORDER BY owed DESC, length(room), room
    """  # noqa: S608  # constant text
)


@dataclass(frozen=True, slots=True)
class Arrear:
    """What a home owes on overdue bills, fen; of how many periods, and the oldest due date."""

    unit_id: int
    room: str
    periods: int
    oldest_due_on: date
    owed: Money


def list_arrears(
    session: Session, scope: Scope, as_of: date, at_least: Money | None = None
) -> list[Arrear]:
    """Homes that owe on bills that fell due before this day, the most first. Money that came by
    the end of the day counts; what is prepaid and paid no bill yet does not.

    Args:
        at_least: only homes that owe so much.
    """
    rows = session.execute(
        BY_HOME,
        {
            **scope.parameters(),
            "as_of": as_of,
            "at_least": at_least.fen if at_least else 0,
        },
    )
    return [
        Arrear(row.unit_id, row.room, row.periods, row.oldest_due_on, Money(int(row.owed)))
        for row in rows
    ]


def owners_of(
    session: Session, community_id: int, unit_ids: Collection[int], today: date
) -> Mapping[int, list[str]]:
    """Sealed names of the present owners of these homes, by home."""
    rows = session.execute(
        select(Occupancy.unit_id, Resident.name_sealed)
        .join(
            Resident,
            (Resident.community_id == Occupancy.community_id)
            & (Resident.id == Occupancy.resident_id),
        )
        .where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id.in_(id_array(unit_ids)),
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.from_on <= today,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > today),
        )
        .order_by(Occupancy.unit_id, Occupancy.from_on, Occupancy.id)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        found[row.unit_id].append(row.name_sealed)
    return found
