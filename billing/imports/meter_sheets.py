"""Meters, what they showed, and their replacements."""

from collections.abc import Mapping
from typing import Any

from billing.imports.known import Desk, KnownItem, KnownSubject
from billing.imports.reasons import Reason
from billing.imports.sheets import MeterRow, ReadingRow, ReplacementRow
from billing.imports.writing import Tally
from billing.meter_timeline import NewEvent, NewReading, NewReplacement, Timeline, holds
from billing.meters import Meter, billed_until, load_timelines, lock_meters, refused_events
from billing.pricing.prices import plain


def plan_meters(rows: list[MeterRow], desk: Desk) -> tuple[Tally, dict[int, Timeline]]:
    """Meters by their number. Whose meter it is never changes; what its steps mean does not once
    a reading was billed. New meters come back with their empty timelines.
    """
    tally = Tally()
    fresh: dict[int, Timeline] = {}
    known = {row["code"]: row for row in desk.known.rows(Meter)} if rows else {}
    places = {(row["subject_id"], row["item_id"]): code for code, row in known.items()}
    billed = billed_until(desk.session, desk.community_id, [row["id"] for row in known.values()])
    recounted = _recounted(rows, known, desk)
    for row in rows:
        item = desk.item(row, row.item)
        subject = desk.subject(row, item, row.subject) if item else None
        if item is None or subject is None:
            continue
        before = known.get(row.code)
        if before is not None and _refuse_other(row, before, item, subject, desk):
            continue
        if before is not None and before["id"] in billed and _refuse_recount(row, before, desk):
            continue
        if before is not None and not holds(recounted.get(before["id"], Timeline())):
            desk.faults.add(row, "rolls_over_at", Reason.CONTRADICTED)
            continue
        holder = places.setdefault((subject.id, item.id), row.code)
        if holder != row.code:
            desk.faults.add(row, "subject", Reason.TAKEN, known=holder)
            continue
        meter_id = before["id"] if before else desk.ids.new(Meter)
        wanted = {
            "community_id": desk.community_id,
            "id": meter_id,
            "subject_id": subject.id,
            "item_id": item.id,
            "code": row.code,
            "multiplier": row.multiplier,
            "rolls_over_at": row.rolls_over_at,
        }
        desk.known.meters[row.code] = meter_id
        if before is None or before["rolls_over_at"] != row.rolls_over_at:
            fresh[meter_id] = Timeline(row.rolls_over_at)
        tally.count(is_new=before is None, changed=desk.changes.merge(Meter, wanted, before))
    return tally, fresh


def _recounted(
    rows: list[MeterRow], known: Mapping[str, Mapping[str, Any]], desk: Desk
) -> dict[int, Timeline]:
    """Known meters that are to roll over elsewhere: what they showed, as it would then count."""
    wanted = {
        known[row.code]["id"]: row.rolls_over_at
        for row in rows
        if row.code in known and known[row.code]["rolls_over_at"] != row.rolls_over_at
    }
    timelines = load_timelines(desk.session, desk.community_id, wanted) if wanted else {}
    for meter_id, timeline in timelines.items():
        timeline.capacity = wanted[meter_id]
    return timelines


def _refuse_other(
    row: MeterRow, before: Mapping[str, Any], item: KnownItem, subject: KnownSubject, desk: Desk
) -> bool:
    """Whether a known meter would become another home's or item's, which is a fault."""
    if before["item_id"] != item.id:
        items = {one.id: one.code for one in desk.known.items.values()}
        desk.faults.add(row, "item", Reason.FIXED, known=items[before["item_id"]])
        return True
    if before["subject_id"] != subject.id:
        owners = {one.id: code for (_, code), one in desk.known.subjects.items()}
        desk.faults.add(row, "subject", Reason.FIXED, known=owners[before["subject_id"]])
        return True
    return False


def _refuse_recount(row: MeterRow, before: Mapping[str, Any], desk: Desk) -> bool:
    differing = [
        column
        for column in ("multiplier", "rolls_over_at")
        if before[column] != getattr(row, column)
    ]
    for column in differing:
        was = "" if before[column] is None else plain(before[column])
        desk.faults.add(row, column, Reason.BILLED, known=was)
    return bool(differing)


def plan_readings(
    readings: list[ReadingRow],
    replacements: list[ReplacementRow],
    fresh: Mapping[int, Timeline],
    desk: Desk,
) -> tuple[Tally, Tally, list[NewEvent]]:
    """Readings and replacements, judged together; what is to be written comes last.

    Args:
        fresh: meters of this workbook that are new or count differently from now on.
    """
    tallies = Tally(), Tally()
    events: dict[NewEvent, ReadingRow | ReplacementRow] = {}
    rows: list[ReadingRow | ReplacementRow] = [*readings, *replacements]
    for row in rows:
        meter_id = desk.known.meters.get(row.meter)
        if meter_id is None:
            desk.faults.add(row, "meter", Reason.UNKNOWN, shown=row.meter)
        elif _is_past(row, desk):
            events[_event(row, meter_id)] = row
    timelines = _timelines(events, fresh, desk)
    for refusal in refused_events(timelines, list(events)):
        blamed = events[refusal.event]
        column = "value" if isinstance(blamed, ReadingRow) else "old_final"
        desk.faults.cell(blamed.sheet, blamed.row, column, refusal.sentence)
    new = []
    for event, row in events.items():
        is_new = not timelines[event.meter_id].has(event)
        tallies[isinstance(row, ReplacementRow)].count(is_new=is_new, changed=False)
        if is_new:
            new.append(event)
    return *tallies, new


def _is_past(row: ReadingRow | ReplacementRow, desk: Desk) -> bool:
    column = "read_on" if isinstance(row, ReadingRow) else "replaced_on"
    if getattr(row, column) > desk.today:
        desk.faults.add(row, column, Reason.IN_FUTURE)
        return False
    return True


def _event(row: ReadingRow | ReplacementRow, meter_id: int) -> NewEvent:
    if isinstance(row, ReadingRow):
        return NewReading(meter_id, row.read_on, row.value)
    return NewReplacement(meter_id, row.replaced_on, row.old_final, row.new_initial)


def _timelines(
    events: Mapping[NewEvent, object], fresh: Mapping[int, Timeline], desk: Desk
) -> dict[int, Timeline]:
    meter_ids = {event.meter_id for event in events}
    lock_meters(desk.session, desk.community_id, meter_ids)
    known = load_timelines(desk.session, desk.community_id, meter_ids)
    for meter_id, timeline in fresh.items():
        if meter_id in known:
            known[meter_id].capacity = timeline.capacity
        else:
            known[meter_id] = timeline
    return known
