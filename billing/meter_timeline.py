"""What a meter showed, in the order of days, and which new readings cannot be true. Pure.

Between two points of one device the number only rises, or, where it rolls over, passes its last
number once. A late reading in the middle is therefore believed only between its neighbours. A fall
is taken for a roll-over only if what was used is less than half of what the meter can count:
with more, a slip of the pen is likelier. On the day of a replacement the reading is the new
device's: where the old one was read that day already, the replacement is filed on the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise

from billing.labels import LabelEnum


class Objection(LabelEnum):
    """Why a reading or replacement cannot be recorded."""

    OTHER_VALUE = "other_value", "当天已有另一个数值{other}"
    LOWER = "lower", "低于{day}的{other}，而其间没有换表或过零"
    HIGHER = "higher", "高于{day}的{other}，而其间没有换表或过零"
    BEYOND_CAPACITY = "beyond_capacity", "必须小于满码{other}"
    BILLED = "billed", "{day}之前的读数已出账，不能补录换表"
    READ_BEFORE = "read_before", "当天已有旧表读数{other}，换表日请写次日"


@dataclass(frozen=True, slots=True)
class NewReading:
    """A reading to be recorded; `value` is what the meter shows, zero or more. One that is
    estimated was seen by nobody; the next one that is read puts right what it was wrong by.
    """

    meter_id: int
    read_on: date
    value: Decimal
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class NewReplacement:
    """A replacement to be recorded: last number of the old device, first of the new one."""

    meter_id: int
    replaced_on: date
    old_final: Decimal
    new_initial: Decimal


NewEvent = NewReading | NewReplacement


@dataclass(slots=True)
class Timeline:
    """One meter: its capacity (`rolls_over_at`), what is recorded, and the day of the last reading
    that closed a billed span.
    """

    capacity: Decimal | None = None
    readings: dict[date, Decimal] = field(default_factory=dict)
    replacements: dict[date, tuple[Decimal, Decimal]] = field(default_factory=dict)
    billed_until: date | None = None

    def has(self, event: NewEvent) -> bool:
        """Whether exactly this is recorded already."""
        if isinstance(event, NewReading):
            return self.readings.get(event.read_on) == event.value
        values = (event.old_final, event.new_initial)
        return self.replacements.get(event.replaced_on) == values


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that cannot be recorded, and the number and day it does not agree with."""

    event: NewEvent
    objection: Objection
    day: date
    other: Decimal

    @property
    def sentence(self) -> str:
        """The reason as staff read it."""
        return self.objection.label.format(day=self.day, other=f"{self.other:f}")


@dataclass(frozen=True, slots=True)
class _Point:
    """A day with the number before and after it; they differ where the device was replaced."""

    day: date
    before: Decimal
    after: Decimal
    event: NewEvent | None


def judge(timeline: Timeline, events: Sequence[NewEvent]) -> list[Refusal]:
    """Which of these events of one meter cannot be recorded, all at once, with the reason.

    What is recorded already with the same values is no event; see `Timeline.has`.
    """
    refusals = [refusal for event in events for refusal in _alone(timeline, event)]
    refusals += _read_before(timeline, events)
    refused = {id(refusal.event) for refusal in refusals}
    fresh = [event for event in events if id(event) not in refused and not timeline.has(event)]
    for earlier, later in pairwise(_points(timeline, fresh)):
        if _believable(earlier.after, later.before, timeline.capacity):
            continue
        if later.event is not None:
            refusals.append(Refusal(later.event, Objection.LOWER, earlier.day, earlier.after))
        elif earlier.event is not None:
            refusals.append(Refusal(earlier.event, Objection.HIGHER, later.day, later.before))
    return refusals


def holds(timeline: Timeline) -> bool:
    """Whether what is recorded can be true of a meter with this capacity."""
    points = _points(timeline, ())
    capacity = timeline.capacity
    within = capacity is None or all(max(one.before, one.after) < capacity for one in points)
    return within and all(
        _believable(earlier.after, later.before, capacity) for earlier, later in pairwise(points)
    )


def _alone(timeline: Timeline, event: NewEvent) -> Iterator[Refusal]:
    """What is wrong with an event whatever its neighbours are."""
    if isinstance(event, NewReading):
        day, numbers = event.read_on, [event.value]
        recorded = timeline.readings.get(day)
    else:
        day, numbers = event.replaced_on, [event.old_final, event.new_initial]
        known = timeline.replacements.get(day)
        recorded = None if known is None else known[0]
    if recorded is not None and not timeline.has(event):
        yield Refusal(event, Objection.OTHER_VALUE, day, recorded)
    capacity = timeline.capacity
    if capacity is not None and any(number >= capacity for number in numbers):
        yield Refusal(event, Objection.BEYOND_CAPACITY, day, capacity)
    until = timeline.billed_until
    is_late = isinstance(event, NewReplacement) and until is not None and day <= until
    if until is not None and is_late and not timeline.has(event):
        yield Refusal(event, Objection.BILLED, until, numbers[0])


def _read_before(timeline: Timeline, events: Sequence[NewEvent]) -> Iterator[Refusal]:
    """New replacements on a day that was read: the old device's number would be taken for the new
    one's, and all of it charged again. A reading that comes along is the new device's.
    """
    along = {event.read_on for event in events if isinstance(event, NewReading)}
    for event in events:
        if isinstance(event, NewReplacement) and not timeline.has(event):
            day = event.replaced_on
            if day in timeline.readings and day not in along:
                yield Refusal(event, Objection.READ_BEFORE, day, timeline.readings[day])


def _points(timeline: Timeline, fresh: Sequence[NewEvent]) -> list[_Point]:
    """Everything in the order of days; a replacement comes before the reading of its day."""
    points: list[tuple[date, int, _Point]] = []
    for day, value in timeline.readings.items():
        points.append((day, 1, _Point(day, value, value, None)))
    for day, (old, new) in timeline.replacements.items():
        points.append((day, 0, _Point(day, old, new, None)))
    for event in fresh:
        if isinstance(event, NewReading):
            point = _Point(event.read_on, event.value, event.value, event)
            points.append((event.read_on, 1, point))
        else:
            point = _Point(event.replaced_on, event.old_final, event.new_initial, event)
            points.append((event.replaced_on, 0, point))
    return [point for *_, point in sorted(points, key=lambda entry: entry[:2])]


def _believable(earlier: Decimal, later: Decimal, capacity: Decimal | None) -> bool:
    if later >= earlier:
        return True
    return capacity is not None and 2 * (later - earlier + capacity) < capacity
