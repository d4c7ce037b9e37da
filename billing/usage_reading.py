"""What meters showed for a bill run, set-wise: the reading that closes a period, the one charged
last, and whether the difference can be charged.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.item_plans import Charging, ItemPlan
from billing.period import DateRange
from billing.pricing import MeterChange, PricingError, Reading, Usage

Key = tuple[int, int]
"""Subject id and item id."""


class MeterFacts(NamedTuple):
    """What a meter showed between the last charged reading, or the base, and the closing one.

    Args:
        reading: None where `skipped` or `parked` says why nothing can be charged, or where the
            closing reading is charged already.
        used_this_year: units used before `days` since the reading that opened the calendar year.
    """

    closing_id: int
    days: DateRange | None
    reading: Usage | None
    redo: int
    skipped: str | None = None
    parked: str | None = None
    used_this_year: Decimal = Decimal(0)


METERS = text(
    """
    SELECT meter.subject_id, meter.item_id, meter.multiplier, meter.rolls_over_at,
           plan.starts, billed.period >= to_char(plan.starts, 'YYYY-MM') AS billed_now,
           closing.id AS closing_id, closing.read_on AS closing_on, closing.value AS closing_value,
           billed.id AS billed_id,
           previous.id AS previous_id, previous.read_on AS previous_on,
           previous.value AS previous_value,
           change.replacements, change.old_final, change.new_initial, plan.begins,
           -- A meter that rolls over may have done so between readings that were not charged.
           EXISTS (SELECT FROM meter_reading between_
                   WHERE meter.rolls_over_at IS NOT NULL
                     AND between_.community_id = meter.community_id
                     AND between_.meter_id = meter.id AND between_.read_on > previous.read_on
                     AND between_.read_on < closing.read_on
                     AND (between_.value > closing.value OR between_.value < previous.value))
               AS winds,
           (SELECT coalesce(max(line.redo) + 1, 0) FROM bill_line line
            WHERE line.community_id = meter.community_id AND line.subject_id = meter.subject_id
              AND line.item_id = meter.item_id AND line.period_from < closing.read_on
              AND line.period_to > previous.read_on) AS redo
    FROM unnest(CAST(:items AS bigint[]), CAST(:starts AS date[]), CAST(:ends AS date[]),
                CAST(:begins AS date[])) AS plan (item_id, starts, ends, begins)
    JOIN meter ON meter.community_id = :community_id AND meter.item_id = plan.item_id
     AND meter.subject_id = ANY(:subjects)
    LEFT JOIN LATERAL (
        SELECT id, read_on, value FROM meter_reading
        WHERE community_id = meter.community_id AND meter_id = meter.id
          -- Who bills on the first of a month charges what was read since the first of the last.
          AND read_on > plan.starts - (plan.ends - plan.starts) AND read_on <= plan.ends
        ORDER BY read_on DESC LIMIT 1
    ) closing ON true
    LEFT JOIN LATERAL (
        SELECT reading.id, reading.read_on, reading.value, bill.period
        FROM bill_line line
        JOIN bill ON bill.community_id = line.community_id AND bill.id = line.bill_id
        JOIN meter_reading reading ON reading.community_id = line.community_id
         AND reading.id = line.source_id
        LEFT JOIN bill_void void ON void.community_id = line.community_id
         AND void.bill_id = line.bill_id
        WHERE line.community_id = meter.community_id AND line.subject_id = meter.subject_id
          AND line.item_id = meter.item_id AND line.kind = 'charge'
          AND void.after IS DISTINCT FROM 'redo' AND line.period_from < closing.read_on
        ORDER BY line.period_from DESC LIMIT 1
    ) billed ON true
    LEFT JOIN LATERAL (
        -- Nothing is charged for what was used before the first price, or is owed from before.
        SELECT id, read_on, value FROM meter_reading
        CROSS JOIN LATERAL (
            SELECT greatest(plan.begins, max(line.period_to)) AS since FROM bill_line line
            WHERE line.community_id = meter.community_id AND line.subject_id = meter.subject_id
              AND line.item_id = meter.item_id AND line.kind = 'opening'
              AND NOT EXISTS (SELECT FROM bill_void void
                              WHERE void.community_id = line.community_id
                                AND void.bill_id = line.bill_id)
        ) charged
        WHERE community_id = meter.community_id AND meter_id = meter.id AND billed.id IS NULL
        ORDER BY read_on <= charged.since DESC,
                 CASE WHEN read_on <= charged.since THEN read_on END DESC, read_on
        LIMIT 1
    ) base ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(billed.id, base.id) AS id,
               coalesce(billed.read_on, base.read_on) AS read_on,
               coalesce(billed.value, base.value) AS value
    ) previous
    CROSS JOIN LATERAL (
        SELECT count(*) AS replacements, min(old_final) AS old_final,
               min(new_initial) AS new_initial
        FROM meter_replacement
        WHERE community_id = meter.community_id AND meter_id = meter.id
          AND replaced_on > previous.read_on AND replaced_on <= closing.read_on
    ) change
    """
)

READINGS = text(
    """
    -- From the latest reading up to `since`, or the first after it, through `until`.
    SELECT asked.subject_id, asked.item_id, meter.multiplier, meter.rolls_over_at,
           reading.value, change.replacements, change.old_final, change.new_initial
    FROM unnest(CAST(:subjects AS bigint[]), CAST(:items AS bigint[]), CAST(:since AS date[]),
                CAST(:until AS date[])) AS asked (subject_id, item_id, since, until)
    JOIN meter ON meter.community_id = :community_id AND meter.subject_id = asked.subject_id
     AND meter.item_id = asked.item_id
    JOIN meter_reading reading ON reading.community_id = meter.community_id
     AND reading.meter_id = meter.id AND reading.read_on <= asked.until
     AND reading.read_on >= coalesce(
        (SELECT max(read_on) FROM meter_reading opening
         WHERE opening.community_id = meter.community_id AND opening.meter_id = meter.id
           AND opening.read_on <= asked.since), asked.since)
    CROSS JOIN LATERAL (
        SELECT count(*) AS replacements, min(old_final) AS old_final,
               min(new_initial) AS new_initial
        FROM meter_replacement
        WHERE community_id = meter.community_id AND meter_id = meter.id
          AND replaced_on <= reading.read_on
          AND replaced_on > (SELECT max(read_on) FROM meter_reading earlier
                             WHERE earlier.community_id = meter.community_id
                               AND earlier.meter_id = meter.id
                               AND earlier.read_on < reading.read_on)
    ) change
    ORDER BY asked.subject_id, asked.item_id, reading.read_on
    """
)


def read_meters(
    session: Session, community_id: int, plans: Sequence[ItemPlan], subjects: Sequence[int]
) -> dict[Key, MeterFacts]:
    """What the meters of these subjects showed, by subject and item; a fixed number of
    statements.
    """
    metered = [plan for plan in plans if plan.how is Charging.METERED]
    if not metered:
        return {}
    rows = session.execute(
        METERS,
        {
            "community_id": community_id,
            "subjects": list(subjects),
            "items": [plan.item_id for plan in metered],
            "starts": [plan.span.start for plan in metered],
            "ends": [plan.span.end for plan in metered],
            "begins": [plan.begins for plan in metered],
        },
    ).all()
    yearly = {plan.item_id for plan in metered if plan.yearly_tiers}
    used = _used_this_year(session, community_id, [row for row in rows if row.item_id in yearly])
    winding = [row for row in rows if row.closing_id and (row.replacements > 1 or row.winds)]
    steps = _read_steps(
        session, community_id, [(row, row.previous_on, row.closing_on) for row in winding]
    )
    return {
        (key := (row.subject_id, row.item_id)): _meter_facts(row, steps.get(key), used.get(key))
        for row in rows
    }


def _meter_facts(
    row: Row[Any], steps: Sequence[Row[Any]] | None, used_this_year: Decimal | None
) -> MeterFacts:
    """Judge what can be charged between two readings: never what a meter showed at first, and no
    reading twice.

    Args:
        steps: every reading from the previous to the closing one, where they must be walked.
    """
    if row.closing_id is None:
        return MeterFacts(0, None, None, 0, skipped="no_reading")
    closes = row.closing_on > row.starts
    if row.billed_id is not None and row.previous_on >= row.closing_on:
        skipped = None if closes or row.billed_now else "no_reading"
        return MeterFacts(row.closing_id, None, None, row.redo, skipped=skipped)
    if row.previous_id == row.closing_id:
        skipped = "no_base_reading" if closes else "no_reading"
        return MeterFacts(row.closing_id, None, None, 0, skipped=skipped)
    # The base may be older than the first price: what it measures is charged from then on.
    start = row.previous_on if row.billed_id is not None else max(row.previous_on, row.begins)
    if start >= row.closing_on:
        return MeterFacts(row.closing_id, None, None, 0, skipped="no_tariff")
    if steps and any(step.replacements > 1 for step in steps[1:]):
        return MeterFacts(row.closing_id, None, None, 0, parked="meter_replaced_twice")
    try:
        usage: Usage = _sum_usage(steps) if steps else _reading(row)
    except PricingError as error:
        return MeterFacts(row.closing_id, None, None, 0, parked=str(error))
    return MeterFacts(
        row.closing_id,
        DateRange(start, row.closing_on),
        usage,
        row.redo,
        used_this_year=used_this_year or Decimal(0),
    )


def _reading(row: Row[Any]) -> Reading:
    change = MeterChange(row.old_final, row.new_initial) if row.replacements else None
    rolls_over_at = None if change else row.rolls_over_at
    return Reading(row.previous_value, row.closing_value, row.multiplier, change, rolls_over_at)


def _used_this_year(
    session: Session, community_id: int, rows: Sequence[Row[Any]]
) -> dict[Key, Decimal]:
    """Units counted from the reading that opened the year of the closing one to the previous one.

    A closing reading of 1 January closes December, so its year is that of the day before.
    """
    asked = [
        (row, (row.closing_on - timedelta(days=1)).replace(month=1, day=1), row.previous_on)
        for row in rows
        if row.closing_id is not None and row.previous_id is not None
    ]
    steps = _read_steps(session, community_id, asked)
    return {key: _sum_usage(readings) for key, readings in steps.items()}


def _read_steps(
    session: Session, community_id: int, asked: Sequence[tuple[Row[Any], date, date]]
) -> dict[Key, list[Row[Any]]]:
    """Every reading of these meters from the last one up to a day through another, in order."""
    if not asked:
        return {}
    readings: dict[Key, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(
        READINGS,
        {
            "community_id": community_id,
            "subjects": [row.subject_id for row, _, _ in asked],
            "items": [row.item_id for row, _, _ in asked],
            "since": [since for _, since, _ in asked],
            "until": [until for _, _, until in asked],
        },
    ):
        readings[row.subject_id, row.item_id].append(row)
    return readings


def _sum_usage(readings: Sequence[Row[Any]]) -> Decimal:
    used = Decimal(0)
    for earlier, later in pairwise(readings):
        change = MeterChange(later.old_final, later.new_initial) if later.replacements else None
        rolls_over_at = None if change else later.rolls_over_at
        used += Reading(
            earlier.value, later.value, later.multiplier, change, rolls_over_at
        ).quantity
    return used
