"""Readings: a number that cannot be true is refused, whenever it is filed."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from billing.errors import InvalidInput, NotFound
from billing.meter_timeline import (
    NewEvent,
    NewReading,
    NewReplacement,
    Objection,
    Timeline,
    judge,
)
from billing.meters import Meter, MeterReading, record_readings
from billing.tariffs import ChargeItem
from tests.billing.test_run_charges import (
    WATER,
    add_item,
    add_meter,
    charged,
    drafted_bill,
    run,
    sql,
    void,
)
from tests.conftest import NOW, World

CAPACITY = Decimal(100_000)


def day(number: int) -> date:
    """The n-th of November."""
    return date(2026, 11, number)


def reading(number: int, value: int | str) -> NewReading:
    """Of meter 1."""
    return NewReading(1, day(number), Decimal(value))


def replacement(number: int, old_final: int, new_initial: int) -> NewReplacement:
    """Of meter 1."""
    return NewReplacement(1, day(number), Decimal(old_final), Decimal(new_initial))


def timeline(*values: tuple[int, int], capacity: Decimal | None = None) -> Timeline:
    """A meter that showed these numbers on these days."""
    return Timeline(capacity, {day(number): Decimal(value) for number, value in values})


def objections(meter: Timeline, *events: NewEvent) -> list[Objection]:
    """What is said against these."""
    return [refusal.objection for refusal in judge(meter, events)]


def test_the_first_reading_is_the_base_whatever_it_shows() -> None:
    assert objections(timeline(), reading(1, 4319)) == []


def test_a_number_rises_or_stays() -> None:
    assert objections(timeline((1, 100)), reading(2, 100), reading(3, "100.5")) == []


def test_a_lower_number_without_a_reason_is_refused() -> None:
    [refusal] = judge(timeline((1, 100)), [reading(2, 99)])
    assert refusal.sentence == "低于2026-11-01的100，而其间没有换表或过零"


def test_a_late_reading_lies_between_its_neighbours() -> None:
    meter = timeline((1, 100), (9, 120))
    assert objections(meter, reading(5, 110)) == []
    assert objections(meter, reading(5, 99)) == [Objection.LOWER]
    assert objections(meter, reading(5, 121)) == [Objection.HIGHER]


def test_a_reading_before_the_base_is_not_above_it() -> None:
    assert objections(timeline((5, 100)), reading(1, 90)) == []
    assert objections(timeline((5, 100)), reading(1, 101)) == [Objection.HIGHER]


def test_another_number_of_one_day_is_refused_and_the_same_is_nothing_new() -> None:
    assert objections(timeline((1, 100)), reading(1, 101)) == [Objection.OTHER_VALUE]
    assert objections(timeline((1, 100)), reading(1, 100)) == []


def test_a_new_device_begins_anew() -> None:
    meter = timeline((1, 100))
    assert objections(meter, reading(9, 5), replacement(5, 110, 0)) == []
    assert objections(meter, replacement(5, 99, 0)) == [Objection.LOWER]
    assert objections(meter, replacement(5, 110, 7), reading(9, 6)) == [Objection.LOWER]


def test_on_the_day_of_a_replacement_the_new_device_is_read() -> None:
    assert objections(timeline((1, 100)), replacement(5, 110, 0), reading(5, 0)) == []
    assert objections(timeline((1, 100)), replacement(5, 110, 7), reading(5, 6)) == [
        Objection.LOWER
    ]


def test_the_old_device_read_that_day_is_not_replaced_before_the_next() -> None:
    meter = timeline((1, 130), (23, 138))
    [refusal] = judge(meter, [replacement(23, 138, 0)])
    assert refusal.sentence == "当天已有旧表读数138，换表日请写次日"
    assert objections(meter, replacement(24, 138, 0), reading(24, 1)) == []
    meter = timeline((1, 130), (23, 0))
    assert objections(meter, replacement(23, 138, 0), reading(23, 0)) == []  # in one import
    meter.replacements[day(23)] = (Decimal(138), Decimal(0))
    assert objections(meter, replacement(23, 138, 0)) == []  # once more


def test_two_replacements_between_two_readings_are_possible() -> None:
    events = (replacement(3, 110, 0), replacement(6, 4, 50), reading(9, 51))
    assert objections(timeline((1, 100)), *events) == []


def test_a_replacement_is_not_filed_into_a_billed_span() -> None:
    meter = timeline((1, 100), (9, 120))
    meter.billed_until = day(9)
    assert objections(meter, replacement(5, 110, 110)) == [Objection.BILLED]
    assert objections(meter, replacement(10, 120, 0)) == []


def test_a_meter_that_rolls_over_may_show_less() -> None:
    meter = timeline((1, 99_990), capacity=CAPACITY)
    assert objections(meter, reading(2, 12)) == []
    assert objections(meter, reading(2, 100_000)) == [Objection.BEYOND_CAPACITY]


def test_a_slip_of_the_pen_is_not_taken_for_a_roll_over() -> None:
    meter = timeline((1, 5_000), capacity=CAPACITY)
    assert objections(meter, reading(2, 4_990)) == [Objection.LOWER]


def test_between_two_readings_around_a_roll_over_lie_those_on_the_way() -> None:
    meter = timeline((1, 99_990), (9, 12), capacity=CAPACITY)
    assert objections(meter, reading(5, 99_995)) == []
    assert objections(meter, reading(5, 3)) == []
    assert objections(meter, reading(5, 50)) == [Objection.HIGHER]
    assert objections(meter, reading(5, 99_980)) == [Objection.LOWER]


STEPS = st.lists(st.integers(0, 30_000), min_size=2, max_size=12)


@given(STEPS, st.data())
def test_a_true_history_is_believed_in_any_order_of_filing(
    steps: list[int], data: st.DataObject
) -> None:
    """Whatever a real meter shows, rolling over as it goes, is taken, early or late."""
    shown, events = 0, []
    for number, step in enumerate(steps, start=1):
        shown = (shown + step) % int(CAPACITY)
        events.append(reading(number, shown))
    filed = data.draw(st.sets(st.sampled_from(events)))
    meter = Timeline(CAPACITY, {event.read_on: event.value for event in filed})
    late = [event for event in events if event not in filed]
    assert judge(meter, late) == []


@given(STEPS, st.integers(1, 40_000))
def test_one_number_below_all_before_it_is_always_found(steps: list[int], fall: int) -> None:
    values = [sum(steps[: end + 1]) + fall for end in range(len(steps))]
    events = [reading(number, value) for number, value in enumerate(values, start=1)]
    wrong = NewReading(1, day(len(steps) + 1), Decimal(values[-1] - fall))
    assert [one.event for one in judge(Timeline(), [*events, wrong])] == [wrong]


@pytest.fixture
def meter_id(world: World) -> int:
    """A meter of 1-1-101."""
    unit = world.unit("1-1-101")
    with world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == "garbage")).one()
        meter = Meter(
            community_id=world.community.id,
            subject_id=unit.id,
            item_id=item.id,
            code="W1",
            multiplier=Decimal(1),
        )
        session.add(meter)
        session.flush()
        return meter.id


def record(world: World, *events: NewEvent) -> tuple[int, int]:
    with world.database.transaction() as session:
        done = record_readings(session, world.community.id, events, now=NOW)
        return done.created, done.unchanged


def values(world: World) -> list[tuple[date, Decimal]]:
    with world.database.transaction() as session:
        query = select(MeterReading.read_on, MeterReading.value).order_by(MeterReading.read_on)
        return [(row.read_on, row.value) for row in session.execute(query)]


def test_readings_are_recorded_once(world: World, meter_id: int) -> None:
    events: list[NewEvent] = [
        NewReading(meter_id, day(1), Decimal("120.5")),
        NewReplacement(meter_id, day(5), Decimal(133), Decimal(0)),
        NewReading(meter_id, day(9), Decimal(8)),
    ]
    assert record(world, *events) == (3, 0)
    assert record(world, *events) == (0, 3)
    assert values(world) == [(day(1), Decimal("120.5")), (day(9), Decimal(8))]


def test_one_refused_reading_and_none_is_recorded(world: World, meter_id: int) -> None:
    record(world, NewReading(meter_id, day(1), Decimal(100)))
    with pytest.raises(InvalidInput, match=r"lower against 110 of 2026-11-02; 0 more like it"):
        record(
            world,
            NewReading(meter_id, day(2), Decimal(110)),
            NewReading(meter_id, day(3), Decimal(109)),
        )
    assert values(world) == [(day(1), Decimal(100))]


def test_a_meter_nobody_has_is_refused(world: World) -> None:
    with pytest.raises(NotFound, match="no meter 77 in community"):
        record(world, NewReading(77, day(1), Decimal(1)))


def late_replacement(world: World, after: str) -> NewReplacement:
    """A replacement within December, whose bill was made without it and is void by now."""
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-31", "190"))
    run(world)
    void(world, drafted_bill(world), after)
    [(meter,)] = sql(world, "SELECT id FROM meter")
    return NewReplacement(meter, date(2026, 12, 10), Decimal(105), Decimal(180))


def test_a_replacement_is_filed_into_a_span_whose_bill_is_made_anew(world: World) -> None:
    record(world, late_replacement(world, "redo"))
    run(world)
    assert [fen for _, _, fen, _ in charged(world, "water")] == [90 * 345, (5 + 10) * 345]


def test_a_replacement_is_not_filed_into_a_span_that_is_never_billed_again(world: World) -> None:
    change = late_replacement(world, "exclude")
    with pytest.raises(InvalidInput, match=Objection.BILLED.value):
        record(world, change)
