"""满意度: what people thought of what was done for them, and how many of those asked said so.

Everything here is about ratings whose first tap fell on the days [from_on, to_on), Beijing dates;
each with the score it has now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, TextClause, select, text
from sqlalchemy.orm import Session

from billing.business_day import BEIJING
from billing.people import Staff
from billing.property import Unit
from billing.rating_tables import RatedKind, Rating, Score
from billing.tariffs import ChargeItem


class RatedBy(Enum):
    """What ratings are divided by; of a rating that names none, the part is ""."""

    KIND = "kind"
    PERIOD = "period"
    ITEM = "item"
    STAFF = "staff"


PARTS: Mapping[RatedBy, tuple[str, str]] = MappingProxyType(
    {
        RatedBy.KIND: ("rating.kind", "''"),
        RatedBy.PERIOD: ("coalesce(rating.period, '')", "coalesce(rating.period, '')"),
        RatedBy.ITEM: ("coalesce(CAST(rating.item_id AS text), '')", "coalesce(item.name, '')"),
        RatedBy.STAFF: ("coalesce(CAST(rating.staff_id AS text), '')", "coalesce(staff.name, '')"),
    }
)


@dataclass(frozen=True, slots=True)
class Voices:
    """Ratings of a part.

    Attributes:
        part: the kind's code, the month, the number of the item or of the member of staff.
        name: what people call it; of kinds and of "" the caller knows.
        good, fair, bad: how many said so.
    """

    part: str
    name: str
    good: int
    fair: int
    bad: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.good + self.fair + self.bad

    @property
    def rate(self) -> Fraction | None:
        """满意率: good ÷ all ratings of the part; None where there are none."""
        return Fraction(self.good, self.count) if self.count else None


def _by(division: RatedBy) -> TextClause:
    part, name = PARTS[division]
    return text(
        f"""
        SELECT {part} AS part, {name} AS name,
               count(*) FILTER (WHERE score = 'good') AS good,
               count(*) FILTER (WHERE score = 'fair') AS fair,
               count(*) FILTER (WHERE score = 'bad') AS bad
        FROM rating
        LEFT JOIN charge_item item ON item.community_id = rating.community_id
         AND item.id = rating.item_id
        LEFT JOIN staff ON staff.id = rating.staff_id
        WHERE rating.community_id = :community_id
          AND rating.rated_on >= :from_on AND rating.rated_on < :to_on
        GROUP BY 1, 2 ORDER BY count(*) DESC, 1
        """  # noqa: S608  # constant text
    )


DIVIDED: Mapping[RatedBy, TextClause] = MappingProxyType({one: _by(one) for one in RatedBy})


def satisfaction(
    session: Session, division: RatedBy, community_id: int, from_on: date, to_on: date
) -> list[Voices]:
    """The ratings of the days part by part, most first. Every rating is in exactly one part of each
    division, so the parts of any two sum to the same (`whole_of`).
    """
    rows = session.execute(
        DIVIDED[division], {"community_id": community_id, "from_on": from_on, "to_on": to_on}
    )
    return [Voices(row.part, row.name, row.good, row.fair, row.bad) for row in rows]


def whole_of(parts: Sequence[Voices]) -> Voices:
    """The sum of parts."""
    return Voices(
        "",
        "",
        sum(one.good for one in parts),
        sum(one.fair for one in parts),
        sum(one.bad for one in parts),
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """评价率 of a kind.

    Attributes:
        asked: the denominator: payments booked within the days that stand; disputes answered and
            other tickets answered or closed, the first of both within the days.
        rated: the numerator: those of them somebody rated, whenever.
    """

    kind: RatedKind
    asked: int
    rated: int

    @property
    def share(self) -> Fraction | None:
        """Rated ÷ asked; None where nobody was asked."""
        return Fraction(self.rated, self.asked) if self.asked else None


ANSWERED = text(
    """
    WITH done AS (
        SELECT 'receipt' AS kind, id FROM payment
        WHERE community_id = :community_id AND state = 'confirmed'
          AND channel NOT IN ('prepaid', 'imported')
          AND confirmed_at >= :since AND confirmed_at < :until
        UNION ALL
        SELECT CASE WHEN kind = 'dispute' THEN 'dispute' ELSE 'ticket' END, id FROM ticket
        WHERE community_id = :community_id
          AND coalesce(answered_at, closed_at) >= :since
          AND coalesce(answered_at, closed_at) < :until
    )
    SELECT done.kind, count(*) AS asked, count(rated.subject_id) AS rated
    FROM done
    LEFT JOIN (
        SELECT DISTINCT kind, subject_id FROM rating WHERE community_id = :community_id
    ) rated ON rated.kind = done.kind AND rated.subject_id = done.id
    GROUP BY 1
    """
)


def answered(session: Session, community_id: int, from_on: date, to_on: date) -> list[Answered]:
    """评价率, kind by kind, all of them."""
    since, until = (datetime.combine(day, time(), BEIJING) for day in (from_on, to_on))
    found = {
        row.kind: row
        for row in session.execute(
            ANSWERED, {"community_id": community_id, "since": since, "until": until}
        )
    }
    return [
        Answered(kind, row.asked, row.rated)
        if (row := found.get(kind.value))
        else Answered(kind, 0, 0)
        for kind in RatedKind
    ]


def rated_things(
    community_id: int,
    from_on: date,
    to_on: date,
    *,
    score: Score | None = None,
    part: tuple[RatedBy, str] | None = None,
) -> Select[tuple[Any, ...]]:
    """SELECT of single ratings: `key`, `at`, `kind`, `subject_id`, `room`, `period`, `item`,
    `staff`, `score`, `words` (sealed).

    Args:
        part: only those of a part, as `satisfaction` names it.
    """
    columns: tuple[Any, ...] = (
        Rating.id.label("key"),
        Rating.at,
        Rating.kind,
        Rating.subject_id,
        Unit.room,
        Rating.period,
        ChargeItem.name.label("item"),
        Staff.name.label("staff"),
        Rating.score,
        Rating.words_sealed.label("words"),
    )
    query = (
        select(*columns)
        .select_from(Rating)
        .outerjoin(Unit, (Unit.community_id == Rating.community_id) & (Unit.id == Rating.unit_id))
        .outerjoin(
            ChargeItem,
            (ChargeItem.community_id == Rating.community_id) & (ChargeItem.id == Rating.item_id),
        )
        .outerjoin(Staff, Staff.id == Rating.staff_id)
        .where(
            Rating.community_id == community_id,
            Rating.rated_on >= from_on,
            Rating.rated_on < to_on,
        )
    )
    if score is not None:
        query = query.where(Rating.score == score)
    if part is not None:
        query = query.where(text(f"{PARTS[part[0]][0]} = :part").bindparams(part=part[1]))
    return query
