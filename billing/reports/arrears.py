"""欠费名单: who owes how much, since when."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.money import Money
from billing.reports.scope import SCOPED_LINES, Scope

BY_HOME = text(
    f"""
    WITH line AS ({SCOPED_LINES})
    SELECT unit_id, room, count(DISTINCT period) FILTER (WHERE due > paid) AS periods,
           min(due_on) FILTER (WHERE due > paid) AS oldest_due_on, sum(due - paid) AS owed
    FROM line
    WHERE due_on < :overdue_before
    GROUP BY unit_id, room
    HAVING sum(due - paid) >= :at_least AND sum(due - paid) > 0
    ORDER BY owed DESC, room
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
    """Homes that owe on bills due before this day, the most first.

    Args:
        at_least: only homes that owe so much.
    """
    rows = session.execute(
        BY_HOME,
        {
            **scope.parameters(),
            "as_of": as_of,
            "overdue_before": as_of,
            "at_least": at_least.fen if at_least else 0,
        },
    )
    return [
        Arrear(row.unit_id, row.room, row.periods, row.oldest_due_on, Money(int(row.owed)))
        for row in rows
    ]
