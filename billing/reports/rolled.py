"""收缴率 of any number of bills in milliseconds: the sums of `collection`, read from the roll-up.

Everything here is as of the end of a day. Due: on issued bills, after discounts, waivers and
corrections that counted by then. Paid: of it, by payments that counted by then; prepayments that
paid bills among them. A void bill counts to the day before it was voided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from billing.money import ZERO, Money
from billing.period import Period
from billing.reports.scope import Scope


class Division(Enum):
    """What a collection is divided by."""

    PERIOD = "period"
    BUILDING = "building"
    FEE = "fee"
    ITEM = "item"


KEYS = {
    Division.PERIOD: ("period", "period AS part, period AS name", ""),
    Division.BUILDING: (
        "building_id",
        "code AS part, name",
        "JOIN building ON building.community_id = :community_id AND building.id = building_id",
    ),
    Division.FEE: (
        "item_id",
        "fee AS part, fee AS name",
        "JOIN charge_item item ON item.community_id = :community_id AND item.id = item_id",
    ),
    Division.ITEM: (
        "item_id",
        "code AS part, name",
        "JOIN charge_item item ON item.community_id = :community_id AND item.id = item_id",
    ),
}
"""Column of the roll-up; code and name of a part; where they are."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was collected of a part.

    Attributes:
        part: its code, unique among the parts. `name`: what people call it.
        due, paid: as the module says, fen.
    """

    part: str
    name: str
    due: Money
    paid: Money

    @property
    def owed(self) -> Money:
        """Due less paid."""
        return self.due - self.paid

    @property
    def rate(self) -> Fraction | None:
        """收缴率: paid ÷ due; None where nothing is due."""
        return Fraction(self.paid.fen, self.due.fen) if self.due > ZERO else None


def _by(division: Division) -> TextClause:
    """Summed up by number first: millions of rows are joined with nothing."""
    column, part, join = KEYS[division]
    return text(
        f"""
        SELECT part, max(name) AS name, sum(due) AS due, sum(paid) AS paid
        FROM (
            SELECT {part}, due, paid
            FROM (
                SELECT {column}, sum(due) AS due, sum(paid) AS paid
                FROM collection_move
                WHERE community_id = :community_id AND moved_on <= :as_of
                  AND (CAST(:first AS text) IS NULL OR period >= :first)
                  AND (CAST(:last AS text) IS NULL OR period <= :last)
                  AND (CAST(:buildings AS text[]) IS NULL OR building_id IN (
                       SELECT id FROM building WHERE community_id = :community_id
                         AND code = ANY(CAST(:buildings AS text[]))))
                  AND (CAST(:fees AS text[]) IS NULL OR item_id IN (
                       SELECT id FROM charge_item WHERE community_id = :community_id
                         AND fee = ANY(CAST(:fees AS text[]))))
                GROUP BY {column}
            ) summed {join}
        ) named
        GROUP BY part HAVING sum(due) <> 0 OR sum(paid) <> 0
        ORDER BY length(part), part
        """  # noqa: S608  # constant text
    )


DIVIDED: Mapping[Division, TextClause] = MappingProxyType({one: _by(one) for one in Division})


def divide(session: Session, division: Division, scope: Scope, as_of: date) -> list[Collected]:
    """What was collected, part by part, of a scope without an entrance. Every movement is in one
    part, so the parts of any two divisions of a scope sum to the same (`whole_of`).
    """
    rows = session.execute(DIVIDED[division], {**scope.parameters(), "as_of": as_of})
    return [
        Collected(row.part, row.name, Money(int(row.due)), Money(int(row.paid))) for row in rows
    ]


def whole_of(parts: Sequence[Collected]) -> Collected:
    """The sum of parts."""
    due = sum((part.due for part in parts), ZERO)
    return Collected("", "", due, sum((part.paid for part in parts), ZERO))


BY_COMMUNITY = text(
    """
    SELECT community.code AS part, community.name, sum(move.due) AS due, sum(move.paid) AS paid
    FROM collection_move move
    JOIN community ON community.id = move.community_id
    WHERE move.community_id = ANY(CAST(:communities AS bigint[])) AND move.moved_on <= :as_of
      AND move.period >= :first AND move.period <= :last
    GROUP BY 1, 2 ORDER BY 1
    """
)


def divide_by_community(
    session: Session, community_ids: Sequence[int], first: Period, last: Period, as_of: date
) -> list[Collected]:
    """What was collected of the bills of some months (both included), community by community."""
    rows = session.execute(
        BY_COMMUNITY,
        {
            "communities": list(community_ids),
            "first": str(first),
            "last": str(last),
            "as_of": as_of,
        },
    )
    return [
        Collected(row.part, row.name, Money(int(row.due)), Money(int(row.paid))) for row in rows
    ]


CLEARED = text(
    """
    SELECT coalesce(sum(due - paid) FILTER (WHERE moved_on < :from_on), 0) AS owed,
           coalesce(sum(paid) FILTER (WHERE moved_on >= :from_on), 0) AS paid
    FROM collection_move
    WHERE community_id = :community_id AND due_on < :from_on AND moved_on < :to_on
    """
)


def cleared(session: Session, community_id: int, from_on: date, to_on: date) -> Collected:
    """清欠率 of the days [from_on, to_on).

    Denominator (`due`): what was owed on the morning of `from_on` on bills that fell due before it.
    Numerator (`paid`): what was paid on those bills within the days, less what was released again.
    Waivers within the days change neither. Days that have not begun (`to_on`, the day after today,
    is not after `from_on`) have neither.
    """
    if to_on <= from_on:
        return Collected("", "", ZERO, ZERO)
    row = session.execute(
        CLEARED, {"community_id": community_id, "from_on": from_on, "to_on": to_on}
    ).one()
    return Collected("", "", Money(int(row.owed)), Money(int(row.paid)))
