"""账龄: what is owed today, by how long ago it fell due; and who owes the most of it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ARRAY, Date, Integer, Select, cast, func, literal, select
from sqlalchemy.orm import Session

from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.property import Building, Unit
from billing.reports.rollups import owed_bills


class Bucket(LabelEnum):
    """How many days ago a bill fell due; the due date itself is in time."""

    NOT_DUE = "not_due", "未到期"
    MONTH = "month", "1–30 天"
    QUARTER = "quarter", "31–90 天"
    HALF_YEAR = "half_year", "91–180 天"
    YEAR = "year", "181–365 天"
    OLDER = "older", "一年以上"


LATEST_DAY = {
    Bucket.NOT_DUE: 0,
    Bucket.MONTH: 30,
    Bucket.QUARTER: 90,
    Bucket.HALF_YEAR: 180,
    Bucket.YEAR: 365,
}
"""The last day of each bucket but the oldest."""


@dataclass(frozen=True, slots=True)
class Aged:
    """What is owed on bills of one age, fen; how many bills, of how many homes."""

    bucket: Bucket
    owed: Money
    bills: int
    homes: int


def age_debts(session: Session, community_id: int, today: date) -> list[Aged]:
    """Every bucket, the youngest first. Every bill with something owed is in exactly one, so they
    sum to all that is owed now; a home with bills of several ages counts in each.
    """
    bill = owed_bills(community_id)
    bounds = cast([last + 1 for last in LATEST_DAY.values()], ARRAY(Integer))
    bucket = func.width_bucket(literal(today, Date) - bill.c.due_on, bounds)
    rows = session.execute(
        select(
            bucket.label("bucket"),
            func.sum(bill.c.owed).label("owed"),
            func.count().label("bills"),
            func.count(bill.c.unit_id.distinct()).label("homes"),
        ).group_by(bucket)
    )
    found = {row.bucket: row for row in rows}
    buckets = list(Bucket)
    return [
        Aged(bucket, row.owed, row.bills, row.homes)
        if (row := found.get(number))
        else Aged(bucket, Money(0), 0, 0)
        for number, bucket in enumerate(buckets)
    ]


def homes_in_arrears(
    community_id: int, today: date, bucket: Bucket | None = None
) -> Select[tuple[Any, ...]]:
    """SELECT of the homes that owe on bills that fell due before today: `key` (the home), `room`,
    `building`, `bills`, `oldest_due_on`, `owed`.

    Args:
        bucket: only bills of this age; `NOT_DUE`: those that are not due yet.
    """
    bill = owed_bills(community_id)
    age = literal(today, Date) - bill.c.due_on
    late = [bill.c.owed > ZERO]
    if bucket is None:
        late.append(age > 0)
    else:
        buckets = list(Bucket)
        place = buckets.index(bucket)
        if bucket in LATEST_DAY:
            late.append(age <= LATEST_DAY[bucket])
        if place:
            late.append(age > LATEST_DAY[buckets[place - 1]])
    home = (
        select(
            bill.c.unit_id,
            func.count().label("bills"),
            func.min(bill.c.due_on).label("oldest_due_on"),
            func.sum(bill.c.owed).label("owed"),
        )
        .where(*late)
        .group_by(bill.c.unit_id)
        .subquery("home")
    )
    return (
        select(
            home.c.unit_id.label("key"),
            Unit.room,
            Building.name.label("building"),
            home.c.bills,
            home.c.oldest_due_on,
            home.c.owed,
        )
        .join(Unit, (Unit.community_id == community_id) & (Unit.id == home.c.unit_id))
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
    )


def top_arrears(session: Session, community_id: int, today: date, count: int) -> list[Any]:
    """The homes that owe the most on overdue bills: rows of `homes_in_arrears`."""
    query = homes_in_arrears(community_id, today)
    owed = query.selected_columns.owed
    return list(session.execute(query.order_by(owed.desc(), Unit.room).limit(count)))
