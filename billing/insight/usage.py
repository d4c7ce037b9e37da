"""Usage that jumped or stopped, against the meter's own past and what its neighbours did.

A season moves all neighbours alike, so what is expected of a meter is its own usual usage times the
factor by which its neighbours' usage of the same days differs from theirs.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, Severity
from billing.insight.finding import Finding, spread

HISTORY_MIN = 4
"""Readings before the last that a meter must have had."""

JUMP = 2.5
"""Times what is expected."""

DEVIATIONS = 4.0
"""And so many deviations of the meter's own past beyond it."""

STEADY_MIN = 0.9
"""Share of earlier intervals in which something was used, for a zero to be odd."""

RECENT = timedelta(days=45)
PAST_DAYS = 450

USED = text(
    """
    SELECT reading.meter_id, subject.unit_id, subject.code, item.id AS item_id, item.name AS item,
           reading.read_on,
           CAST((reading.value - reading.before) * meter.multiplier
                / (reading.read_on - reading.before_on) AS float8) AS per_day
    FROM (
        SELECT meter_id, read_on, value, lag(value) OVER past AS before,
               lag(read_on) OVER past AS before_on
        FROM meter_reading
        WHERE community_id = :community_id AND read_on > :from_on AND read_on <= :today
        WINDOW past AS (PARTITION BY meter_id ORDER BY read_on)
    ) reading
    JOIN meter ON meter.community_id = :community_id AND meter.id = reading.meter_id
    JOIN subject ON subject.community_id = :community_id AND subject.id = meter.subject_id
    JOIN charge_item item ON item.community_id = :community_id AND item.id = meter.item_id
    WHERE reading.before_on IS NOT NULL
      -- Turned over, or replaced meanwhile: what was used is not a difference.
      AND reading.value >= reading.before
      AND NOT EXISTS (SELECT FROM meter_replacement change
                      WHERE change.community_id = :community_id
                        AND change.meter_id = reading.meter_id
                        AND change.replaced_on >= reading.before_on
                        AND change.replaced_on <= reading.read_on)
    ORDER BY reading.meter_id, reading.read_on
    """
)


@dataclass(frozen=True, slots=True)
class Used:
    """What a meter used a day, in each interval between readings, the oldest first."""

    meter_id: int
    unit_id: int | None
    code: str
    item: str
    item_id: int
    read_on: date
    per_day: Sequence[float]


def find_usage(session: Session, community_id: int, today: date) -> list[Finding]:
    """Meters whose last interval is odd, read within the last 45 days."""
    by_item: dict[int, list[Used]] = defaultdict(list)
    for used in _read(session, community_id, today):
        if used.read_on > today - RECENT and len(used.per_day) > HISTORY_MIN:
            by_item[used.item_id].append(used)
    found = []
    for meters in by_item.values():
        factor = season(meters)
        found += [one for used in meters if (one := judge(used, factor)) is not None]
    return found


def season(meters: Sequence[Used]) -> float:
    """By which factor neighbours' usage differs from their usual one; 1 where nobody is usual."""
    factors = [
        used.per_day[-1] / usual for used in meters if (usual := median(used.per_day[:-1])) > 0
    ]
    return median(factors) if factors else 1.0


def judge(used: Used, factor: float) -> Finding | None:
    """Whether the last interval is odd, the neighbours' factor given."""
    *past, now = used.per_day
    usual = median(past)
    expected = usual * factor
    data = {
        "room": used.code,
        "item": used.item,
        "read_on": used.read_on.isoformat(),
        "now": f"{now:.2f}",
        "expected": f"{expected:.2f}",
    }
    key = f"{used.meter_id} read on {used.read_on}"
    worth = max(expected * JUMP, expected + DEVIATIONS * spread(past) * max(factor, 1.0))
    if expected > 0 and now > worth and now > max(past):
        return Finding(
            AlertKind.USAGE_JUMP, Severity.MEDIUM, f"usage jump of meter {key}", data, used.unit_id
        )
    was_used = sum(1 for value in past if value > 0) / len(past)
    if now == 0 and expected > 0 and was_used >= STEADY_MIN:
        return Finding(
            AlertKind.USAGE_ZERO, Severity.LOW, f"no usage of meter {key}", data, used.unit_id
        )
    return None


def _read(session: Session, community_id: int, today: date) -> list[Used]:
    rows = session.execute(
        USED,
        {
            "community_id": community_id,
            "from_on": today - timedelta(days=PAST_DAYS),
            "today": today,
        },
    )
    meters: dict[int, list[tuple[int | None, str, str, int, date, float]]] = defaultdict(list)
    for row in rows:
        meters[row.meter_id].append(
            (row.unit_id, row.code, row.item, row.item_id, row.read_on, row.per_day)
        )
    return [
        Used(meter_id, *intervals[-1][:5], [interval[5] for interval in intervals])
        for meter_id, intervals in meters.items()
    ]
