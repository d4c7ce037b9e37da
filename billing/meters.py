"""Meters and what they showed: the quantities of metered charges.

A reading is a fact: it is never edited. What was used between two readings is worked out by
`pricing.usage` from the readings, the replacement of the meter between them, or its roll-over.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    UniqueConstraint,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.adjustment_tables import AfterVoid, BillVoid
from billing.bills import BillLine, LineKind
from billing.db import Base, CommunityId, LocalId, id_array
from billing.errors import InvalidInput, NotFound
from billing.meter_timeline import NewEvent, NewReading, NewReplacement, Refusal, Timeline, judge


class Meter(Base):
    """A meter (表具) of one subject, for one charge item. Replacing the device keeps the row."""

    __tablename__ = "meter"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "subject_id"], ["subject.community_id", "subject.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        UniqueConstraint("community_id", "code"),
        UniqueConstraint("community_id", "subject_id", "item_id"),
        CheckConstraint("multiplier > 0", name="multiplier_positive"),
        CheckConstraint("rolls_over_at > 0", name="rolls_over_at_positive"),
        {"comment": "Meters (表具)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    subject_id: Mapped[int]
    item_id: Mapped[int]
    code: Mapped[str] = mapped_column(comment="number on the meter, unique in the community")
    multiplier: Mapped[Decimal] = mapped_column(comment="units per step (倍率)")
    rolls_over_at: Mapped[Decimal | None] = mapped_column(
        comment="shows 0 again after so many steps"
    )


class MeterReading(Base):
    """What a meter showed on a day. The first one of a meter is its base: nothing is charged for
    it.
    """

    __tablename__ = "meter_reading"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "meter_id"], ["meter.community_id", "meter.id"]),
        UniqueConstraint("community_id", "meter_id", "read_on"),
        CheckConstraint("value >= 0", name="value_not_negative"),
        {"comment": "Meter readings (抄表), written once"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    meter_id: Mapped[int]
    read_on: Mapped[date]
    value: Mapped[Decimal]
    is_estimated: Mapped[bool] = mapped_column(
        server_default="false", comment="nobody saw it: worked out from earlier ones (估抄)"
    )
    recorded_at: Mapped[datetime]


class MeterReplacement(Base):
    """The device was replaced: the last value of the old one, the first of the new one."""

    __tablename__ = "meter_replacement"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "meter_id"], ["meter.community_id", "meter.id"]),
        UniqueConstraint("community_id", "meter_id", "replaced_on"),
        CheckConstraint("old_final >= 0 AND new_initial >= 0", name="values_not_negative"),
        {"comment": "Replaced meters (换表)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    meter_id: Mapped[int]
    replaced_on: Mapped[date]
    old_final: Mapped[Decimal]
    new_initial: Mapped[Decimal]


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many of the given events were new, and how many were recorded already."""

    created: int
    unchanged: int


def record_readings(
    session: Session, community_id: int, events: Sequence[NewEvent], *, now: datetime
) -> Recorded:
    """Record readings and replacements of any number of meters, all or none.

    The first reading of a meter is its base. Safe to call twice: what is recorded with the same
    values is counted as unchanged.

    Raises:
        NotFound: no such meter in the community.
        InvalidInput: an event contradicts what is recorded or another one: lower than before
            without a replacement or roll-over, outside its neighbours, another number of one day.
            The message names the first such event and counts the others; nothing is written.
    """
    meter_ids = {event.meter_id for event in events}
    lock_meters(session, community_id, meter_ids)
    timelines = load_timelines(session, community_id, meter_ids)
    missing = meter_ids - timelines.keys()
    if missing:
        raise NotFound(f"no meter {sorted(missing)[0]} in community {community_id}")
    refusals = refused_events(timelines, events)
    if refusals:
        first, others = refusals[0], len(refusals) - 1
        raise InvalidInput(
            "reading",
            f"meter {first.event.meter_id}: {first.objection.value} against"
            f" {first.other:f} of {first.day}; {others} more like it",
        )
    fresh = [event for event in dict.fromkeys(events) if not timelines[event.meter_id].has(event)]
    write_events(session, community_id, fresh, now=now)
    return Recorded(created=len(fresh), unchanged=len(events) - len(fresh))


def refused_events(timelines: Mapping[int, Timeline], events: Sequence[NewEvent]) -> list[Refusal]:
    """Which of the events cannot be recorded; each meter is judged by itself."""
    per_meter: dict[int, list[NewEvent]] = defaultdict(list)
    for event in events:
        per_meter[event.meter_id].append(event)
    return [
        refusal
        for meter_id, own in per_meter.items()
        for refusal in judge(timelines[meter_id], own)
    ]


def lock_meters(session: Session, community_id: int, meter_ids: Collection[int]) -> None:
    """Let nobody else judge readings of these meters until the caller commits."""
    session.execute(
        select(Meter.id)
        .where(Meter.community_id == community_id, Meter.id.in_(id_array(meter_ids)))
        .order_by(Meter.id)
        .with_for_update(key_share=True)
    )


def load_timelines(
    session: Session, community_id: int, meter_ids: Collection[int]
) -> dict[int, Timeline]:
    """What is recorded of these meters; a meter that does not exist is not in the answer."""
    wanted = id_array(meter_ids)
    timelines = {
        row.id: Timeline(row.rolls_over_at)
        for row in session.execute(
            select(Meter.id, Meter.rolls_over_at).where(
                Meter.community_id == community_id, Meter.id.in_(wanted)
            )
        )
    }
    for reading in session.execute(
        select(MeterReading.meter_id, MeterReading.read_on, MeterReading.value).where(
            MeterReading.community_id == community_id, MeterReading.meter_id.in_(wanted)
        )
    ):
        timelines[reading.meter_id].readings[reading.read_on] = reading.value
    for change in session.execute(
        select(
            MeterReplacement.meter_id,
            MeterReplacement.replaced_on,
            MeterReplacement.old_final,
            MeterReplacement.new_initial,
        ).where(
            MeterReplacement.community_id == community_id,
            MeterReplacement.meter_id.in_(wanted),
        )
    ):
        values = (change.old_final, change.new_initial)
        timelines[change.meter_id].replacements[change.replaced_on] = values
    for meter_id, until in billed_until(session, community_id, meter_ids).items():
        timelines[meter_id].billed_until = until
    return timelines


def billed_until(
    session: Session, community_id: int, meter_ids: Collection[int]
) -> dict[int, date]:
    """Meter → day of its last reading that a line was made from; only meters that have one.

    Lines of a bill that was voided to be made anew do not count: the next run prices them again.
    """
    made_anew = exists().where(
        BillVoid.community_id == BillLine.community_id,
        BillVoid.bill_id == BillLine.bill_id,
        BillVoid.after == AfterVoid.REDO,
    )
    last = (
        select(MeterReading.meter_id, func.max(MeterReading.read_on).label("day"))
        .join(
            Meter,
            (Meter.community_id == MeterReading.community_id) & (Meter.id == MeterReading.meter_id),
        )
        .join(
            BillLine,
            (BillLine.community_id == Meter.community_id)
            & (BillLine.subject_id == Meter.subject_id)
            & (BillLine.item_id == Meter.item_id)
            & (BillLine.source_id == MeterReading.id)
            & (BillLine.kind == LineKind.CHARGE),
        )
        .where(
            MeterReading.community_id == community_id,
            MeterReading.meter_id.in_(id_array(meter_ids)),
            ~made_anew,
        )
        .group_by(MeterReading.meter_id)
    )
    return {row.meter_id: row.day for row in session.execute(last)}


WRITE_READINGS = text(
    """
    INSERT INTO meter_reading (community_id, meter_id, read_on, value, is_estimated, recorded_at)
    SELECT :community_id, fresh.meter_id, fresh.read_on, fresh.value, fresh.is_estimated, :now
    FROM unnest(CAST(:meter_ids AS bigint[]), CAST(:days AS date[]), CAST(:values AS numeric[]),
                CAST(:estimated AS boolean[]))
         AS fresh(meter_id, read_on, value, is_estimated)
    ORDER BY fresh.meter_id, fresh.read_on
    """
)
WRITE_REPLACEMENTS = text(
    """
    INSERT INTO meter_replacement (community_id, meter_id, replaced_on, old_final, new_initial)
    SELECT :community_id, fresh.meter_id, fresh.replaced_on, fresh.old_final, fresh.new_initial
    FROM unnest(CAST(:meter_ids AS bigint[]), CAST(:days AS date[]),
                CAST(:old_finals AS numeric[]), CAST(:new_initials AS numeric[]))
         AS fresh(meter_id, replaced_on, old_final, new_initial)
    ORDER BY fresh.meter_id, fresh.replaced_on
    """
)


def write_events(
    session: Session, community_id: int, events: Sequence[NewEvent], *, now: datetime
) -> None:
    """Write events that `refused_events` found nothing against; the meters exist."""
    readings = [event for event in events if isinstance(event, NewReading)]
    if readings:
        session.execute(
            WRITE_READINGS,
            {
                "community_id": community_id,
                "now": now,
                "meter_ids": [event.meter_id for event in readings],
                "days": [event.read_on for event in readings],
                "values": [event.value for event in readings],
                "estimated": [event.is_estimated for event in readings],
            },
        )
    changes = [event for event in events if isinstance(event, NewReplacement)]
    if changes:
        session.execute(
            WRITE_REPLACEMENTS,
            {
                "community_id": community_id,
                "meter_ids": [event.meter_id for event in changes],
                "days": [event.replaced_on for event in changes],
                "old_finals": [event.old_final for event in changes],
                "new_initials": [event.new_initial for event in changes],
            },
        )
