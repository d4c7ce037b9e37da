"""收缴率: how much of what was billed has been paid, as a whole and part by part."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from billing.money import ZERO, Money
from billing.period import Period
from billing.reports.scope import SCOPED_LINES, Scope


class Part(Enum):
    """What a collection is divided by; the value is the column of `SCOPED_LINES`."""

    BUILDING = "building"
    ENTRANCE = "entrance"
    PERIOD = "period"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Collection:
    """What was collected of what was billed.

    Attributes:
        part: code of the building, building and entrance (3-2), month, or code of the fee; empty
            for the whole.
        due: on issued bills of the scope, after discounts, waivers and corrections, fen.
        paid: of it, by payments that count on or before the day, fen; prepayments that paid bills
            among them, money still prepaid not.
        homes: with a bill in the scope. `homes_paid`: of them, those that owe nothing of it.
    """

    part: str
    homes: int
    homes_paid: int
    due: Money
    paid: Money

    @property
    def rate(self) -> Fraction | None:
        """收缴率: paid ÷ due; None where nothing is due."""
        return Fraction(self.paid.fen, self.due.fen) if self.due > ZERO else None


def _by(column: str) -> TextClause:
    return text(
        f"""
        WITH line AS ({SCOPED_LINES}),
        home AS (
            SELECT {column} AS part, unit_id, sum(due) AS due, sum(paid) AS paid
            FROM line GROUP BY 1, 2
        )
        SELECT part, count(*) AS homes, count(*) FILTER (WHERE paid >= due) AS homes_paid,
               sum(due) AS due, sum(paid) AS paid
        FROM home GROUP BY part
        ORDER BY length(part), part
        """  # noqa: S608  # constant text
    )


WHOLE = _by("''")
DIVIDED: Mapping[Part, TextClause] = MappingProxyType({part: _by(part.value) for part in Part})


def collected(session: Session, scope: Scope, as_of: date) -> Collection:
    """Collection of the whole scope as of the end of a day; a bill issued later does not count."""
    found = _read(session, WHOLE, scope, as_of)
    return found[0] if found else Collection("", 0, 0, ZERO, ZERO)


def collected_by(session: Session, part: Part, scope: Scope, as_of: date) -> list[Collection]:
    """The same part by part. What is due and paid sums to the whole; so do the homes of buildings
    and entrances, while of months and fees one home has several.
    """
    return _read(session, DIVIDED[part], scope, as_of)


def _read(session: Session, statement: TextClause, scope: Scope, as_of: date) -> list[Collection]:
    rows = session.execute(statement, {**scope.parameters(), "as_of": as_of})
    return [
        Collection(row.part, row.homes, row.homes_paid, Money(int(row.due)), Money(int(row.paid)))
        for row in rows
    ]


BILLED_MONTHS = """
    walk (period, begins_on, is_billed, found) AS (
        SELECT '9999-99', CAST(NULL AS date), false, 0
        UNION ALL
        SELECT earlier.period, summed.begins_on, summed.is_billed,
               walk.found + CAST(summed.is_billed AS integer)
        FROM walk
        CROSS JOIN LATERAL (
            SELECT period FROM collection_move
            WHERE community_id = :community_id AND period < walk.period
            ORDER BY period DESC LIMIT 1
        ) earlier
        CROSS JOIN LATERAL (
            SELECT min(moved_on) FILTER (WHERE due > 0) AS begins_on,
                   coalesce(sum(due), 0) > 0 AS is_billed
            FROM collection_move
            WHERE community_id = :community_id AND period = earlier.period
              AND moved_on <= :as_of
              AND item_id NOT IN (SELECT id FROM charge_item
                                  WHERE community_id = :community_id AND fee = 'late_fee')
        ) summed
        WHERE walk.found < :months
    ),
    billed AS (SELECT period, begins_on FROM walk WHERE is_billed)
"""
"""What a statement begins with (WITH RECURSIVE) that reads `billed`: the last so many months that
were billed, each with the day its first bill was issued. Something is due on a billed month at the
end of `as_of`, late fees left out: neither a run that was taken back nor a bill of late fees alone
makes one. Of the roll-up, month by month back from its newest: of the millions of rows only those
of the months it passes are read.
"""

LAST_BILLED = f"WITH RECURSIVE {BILLED_MONTHS} SELECT period FROM billed"  # noqa: S608  # constant text


def last_billed(session: Session, community_id: int) -> Period | None:
    """The latest month that stands billed, `BILLED_MONTHS` says how."""
    found: str | None = session.scalar(
        text(LAST_BILLED), {"community_id": community_id, "as_of": date.max, "months": 1}
    )
    return Period(found) if found else None
