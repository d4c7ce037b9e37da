"""收缴率: how much of what was billed has been paid, by building."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.money import ZERO, Money
from billing.period import Period
from billing.reports.scope import SCOPED_LINES, Scope

BY_BUILDING = text(
    f"""
    WITH line AS ({SCOPED_LINES}),
    home AS (
        SELECT building, unit_id, sum(due) AS due, sum(paid) AS paid FROM line GROUP BY 1, 2
    )
    SELECT building, count(*) AS homes, count(*) FILTER (WHERE paid >= due) AS homes_paid,
           sum(due) AS due, sum(paid) AS paid
    FROM home GROUP BY building
    ORDER BY length(building), building
    """  # noqa: S608  # constant text
)


@dataclass(frozen=True, slots=True)
class Collection:
    """What was collected of what was billed.

    Attributes:
        due: on issued bills of the scope, after discounts, waivers and corrections, fen.
        paid: of it, by payments that count on or before the day, fen; prepayments that paid bills
            among them, money still prepaid not.
        homes: with a bill in the scope. `homes_paid`: of them, those that owe nothing of it.
    """

    building: str
    homes: int
    homes_paid: int
    due: Money
    paid: Money

    @property
    def rate(self) -> Fraction | None:
        """收缴率: paid ÷ due; None where nothing is due."""
        return Fraction(self.paid.fen, self.due.fen) if self.due > ZERO else None


def by_building(session: Session, scope: Scope, as_of: date) -> list[Collection]:
    """Collection of each building of the scope as of the end of a day; a bill issued later does
    not count. Their sums are those of the whole.
    """
    rows = session.execute(BY_BUILDING, {**scope.parameters(), "as_of": as_of})
    return [
        Collection(
            row.building, row.homes, row.homes_paid, Money(int(row.due)), Money(int(row.paid))
        )
        for row in rows
    ]


def total(parts: Sequence[Collection]) -> Collection:
    """All of them as one."""
    return Collection(
        "",
        sum(part.homes for part in parts),
        sum(part.homes_paid for part in parts),
        sum((part.due for part in parts), ZERO),
        sum((part.paid for part in parts), ZERO),
    )


LAST_PERIOD = text(
    """
    SELECT max(bill.period) FROM bill
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
    WHERE bill.community_id = :community_id
    """
)


def last_billed(session: Session, community_id: int) -> Period | None:
    """The latest period of which bills were issued."""
    found: str | None = session.scalar(LAST_PERIOD, {"community_id": community_id})
    return Period(found) if found else None
