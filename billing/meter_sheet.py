"""What a meter reader fills in: the meters of an item in a building, with what they showed last.

Read in one statement. Whether a new reading is odd is judged by the usage before it: a month of
three times as much, or of nothing where something was used, is looked at again before it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from billing.errors import NotFound
from billing.property import SubjectKind

METERS_MAX = 400
"""Meters of one sheet: a larger building is entered by floor."""
JUMP_TIMES = 3
JUMP_MIN = Decimal(5)
"""A usage below this many units is not worth a second look, however many times more it is."""

_ROWS = """
    SELECT meter.id AS meter_id, meter.code, meter.multiplier, meter.rolls_over_at,
           subject.code AS subject, subject.kind, place.floor,
           last.read_on AS last_on, last.value AS last_value,
           last.is_estimated AS last_estimated,
           before.read_on AS before_on, before.value AS before_value,
           change.old_final, change.new_initial, recent.new_initial AS shown_since,
           own.value AS own_value
    FROM meter
    JOIN subject ON subject.community_id = meter.community_id AND subject.id = meter.subject_id
    JOIN unit place ON place.community_id = meter.community_id
     AND place.id = CASE WHEN subject.kind = 'parking' THEN subject.unit_id ELSE subject.id END
    LEFT JOIN meter_reading own ON own.community_id = meter.community_id
     AND own.meter_id = meter.id AND own.read_on = :day
    LEFT JOIN LATERAL (
        SELECT read_on, value, is_estimated FROM meter_reading
        WHERE community_id = meter.community_id AND meter_id = meter.id AND read_on < :day
        ORDER BY read_on DESC LIMIT 1
    ) last ON true
    LEFT JOIN LATERAL (
        SELECT read_on, value FROM meter_reading
        WHERE community_id = meter.community_id AND meter_id = meter.id
          AND read_on < last.read_on
        ORDER BY read_on DESC LIMIT 1
    ) before ON true
    LEFT JOIN LATERAL (
        SELECT old_final, new_initial FROM meter_replacement
        WHERE community_id = meter.community_id AND meter_id = meter.id
          AND replaced_on > before.read_on AND replaced_on <= last.read_on
        ORDER BY replaced_on DESC LIMIT 1
    ) change ON true
    LEFT JOIN LATERAL (
        SELECT old_final, new_initial FROM meter_replacement
        WHERE community_id = meter.community_id AND meter_id = meter.id
          AND replaced_on > coalesce(last.read_on, '-infinity') AND replaced_on <= :day
        ORDER BY replaced_on DESC LIMIT 1
    ) recent ON true
"""

IN_BUILDING = text(
    f"""
    {_ROWS}
    WHERE meter.community_id = :community_id AND meter.item_id = :item_id
      AND place.building_id = :building_id
      AND (CAST(:floor AS bigint) IS NULL OR place.floor = :floor)
      AND (subject.billable_to IS NULL OR subject.billable_to > :day)
    ORDER BY place.floor, subject.code, meter.id LIMIT :limit
    """  # constant text
)
ONE = text(
    f"""
    {_ROWS} WHERE meter.community_id = :community_id AND meter.id = :meter_id
    """  # constant text
)


@dataclass(frozen=True, slots=True)
class MeterLine:
    """A meter with what it showed before a day; units, where it says so, else what it shows.

    `shown_since`: what a device put in after the last reading began with; `own_value`: what was
    read on the day itself.
    """

    meter_id: int
    code: str
    subject: str
    kind: SubjectKind
    floor: int
    multiplier: Decimal
    rolls_over_at: Decimal | None
    last_on: date | None
    last_value: Decimal | None
    last_estimated: bool
    last_usage: Decimal | None
    last_days: int
    shown_since: Decimal | None
    own_value: Decimal | None

    def usage(self, value: Decimal) -> Decimal | None:
        """Units a new reading would come to; None for a first one, or one after a replacement or
        below the last, which `meters` judges.
        """
        if self.last_value is None or self.shown_since is not None:
            return None
        steps = value - self.last_value
        if steps < 0 and self.rolls_over_at is not None and -2 * steps > self.rolls_over_at:
            steps += self.rolls_over_at
        return steps * self.multiplier if steps >= 0 else None

    def expected(self, day: date) -> Decimal | None:
        """Units that days like the last ones would come to by a day; None without a history."""
        if self.last_on is None or self.last_usage is None or self.last_days <= 0:
            return None
        return (self.last_usage * (day - self.last_on).days / self.last_days).quantize(Decimal(1))

    def estimate(self, day: date) -> Decimal | None:
        """What it will show on a day if as much is used as between the last two readings."""
        expected, last = self.expected(day), self.last_value
        if expected is None or last is None or self.shown_since is not None:
            return None
        value = last + (expected / self.multiplier).quantize(Decimal(1))
        if self.rolls_over_at is not None and value >= self.rolls_over_at:
            value -= self.rolls_over_at
        return value

    def is_odd(self, value: Decimal, day: date) -> bool:
        """Whether a new reading is worth a second look."""
        usage, expected = self.usage(value), self.expected(day)
        if usage is None or expected is None:
            return False
        if usage == 0:
            return expected >= JUMP_MIN
        return usage >= JUMP_MIN and usage > expected * JUMP_TIMES


def read_meter_sheet(
    session: Session,
    community_id: int,
    item_id: int,
    building_id: int,
    *,
    day: date,
    floor: int | None = None,
) -> list[MeterLine]:
    """Meters of an item in a building, or on one floor of it, by floor and room, with what they
    showed before a day. At most `METERS_MAX`.
    """
    rows = session.execute(
        IN_BUILDING,
        {
            "community_id": community_id,
            "item_id": item_id,
            "building_id": building_id,
            "floor": floor,
            "day": day,
            "limit": METERS_MAX,
        },
    )
    return [_line(row._mapping) for row in rows]


def get_meter_line(session: Session, community_id: int, meter_id: int, *, day: date) -> MeterLine:
    """One meter with what it showed before a day.

    Raises:
        NotFound: no such meter.
    """
    given = {"community_id": community_id, "meter_id": meter_id, "day": day}
    row = session.execute(ONE, given).first()
    if row is None:
        raise NotFound(f"no meter {meter_id} in community {community_id}")
    return _line(row._mapping)


def list_floors(session: Session, community_id: int, item_id: int, building_id: int) -> list[int]:
    """Floors of a building on which the item has meters."""
    floors: Sequence[int] = session.scalars(
        text(
            "SELECT DISTINCT place.floor FROM meter"
            " JOIN subject ON subject.community_id = meter.community_id"
            "  AND subject.id = meter.subject_id"
            " JOIN unit place ON place.community_id = meter.community_id"
            "  AND place.id = CASE WHEN subject.kind = 'parking' THEN subject.unit_id"
            "  ELSE subject.id END"
            " WHERE meter.community_id = :community_id AND meter.item_id = :item_id"
            "  AND place.building_id = :building_id ORDER BY 1"
        ),
        {"community_id": community_id, "item_id": item_id, "building_id": building_id},
    ).all()
    return list(floors)


def _line(row: RowMapping) -> MeterLine:
    last, before = row["last_value"], row["before_value"]
    usage = None
    if last is not None and before is not None:
        steps = last - before
        if row["old_final"] is not None:
            steps += row["old_final"] - row["new_initial"]
        elif steps < 0 and row["rolls_over_at"] is not None:
            steps += row["rolls_over_at"]
        usage = steps * row["multiplier"]
    days = (row["last_on"] - row["before_on"]).days if before is not None else 0
    return MeterLine(
        meter_id=row["meter_id"],
        code=row["code"],
        subject=row["subject"],
        kind=SubjectKind(row["kind"]),
        floor=row["floor"],
        multiplier=row["multiplier"],
        rolls_over_at=row["rolls_over_at"],
        last_on=row["last_on"],
        last_value=last,
        last_estimated=bool(row["last_estimated"]),
        last_usage=usage,
        last_days=days,
        shown_since=row["shown_since"],
        own_value=row["own_value"],
    )
