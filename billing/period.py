"""Months that are billed, ranges of days, and the day a bill falls due. Ranges are half-open."""

import calendar
import re
from dataclasses import dataclass
from datetime import date

from billing.errors import InvalidInput

_PERIOD = re.compile(r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A calendar month (账期), written `2026-11`; ordered by time.

    Raises:
        InvalidInput: any other text, or a year before 1900 or after 2999.

    >>> Period("2026-12").next().start
    datetime.date(2027, 1, 1)
    """

    text: str

    def __post_init__(self) -> None:
        if _PERIOD.fullmatch(self.text) is None:
            raise InvalidInput("period", f"{self.text[:40]!r} is not a month like 2026-11")

    @classmethod
    def of(cls, day: date) -> "Period":
        """The month that contains the day."""
        return cls(f"{day.year:04d}-{day.month:02d}")

    @property
    def start(self) -> date:
        """First day of the month."""
        return date(int(self.text[:4]), int(self.text[5:]), 1)

    @property
    def end(self) -> date:
        """First day after the month."""
        return add_months(self.start, 1)

    def next(self) -> "Period":
        """The month after this one."""
        return Period.of(self.end)

    def previous(self) -> "Period":
        """The month before this one."""
        return Period.of(add_months(self.start, -1))

    def through(self, last: "Period") -> "list[Period]":
        """This month and those after it, up to and including `last`; none when that is earlier.

        >>> [str(month) for month in Period("2026-11").through(Period("2027-01"))]
        ['2026-11', '2026-12', '2027-01']
        """
        periods = []
        month = self
        while month <= last:
            periods.append(month)
            month = month.next()
        return periods

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class DateRange:
    """The days from `start` up to but not including `end`; at least one.

    Raises:
        InvalidInput: the range would be empty.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise InvalidInput("to", f"{self.end} must be after from, {self.start}")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def covers(self, other: "DateRange") -> bool:
        """Whether every day of `other` is in this range."""
        return self.start <= other.start and other.end <= self.end

    def intersection(self, other: "DateRange") -> "DateRange | None":
        """The days in both ranges, None when there is none.

        >>> november = DateRange(date(2026, 11, 1), date(2026, 12, 1))
        >>> november.intersection(DateRange(date(2026, 11, 10), date(2027, 1, 1))).days
        21
        """
        start, end = max(self.start, other.start), min(self.end, other.end)
        return DateRange(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class DayWindow:
    """The days from `start` up to but not including `end`; None leaves that side open."""

    start: date | None = None
    end: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether every day is in it."""
        return self.start is None and self.end is None


EVERY_DAY = DayWindow()


def day_of_month(year: int, month: int, day: int) -> date:
    """That day of the month, or its last day when the month is shorter; day is 1 to 31."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def add_months(day: date, months: int) -> date:
    """The same day of another month; a day that month lacks means its last day.

    Raises:
        InvalidInput: the result lies outside the calendar (years 1 to 9999).

    >>> add_months(date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        raise InvalidInput("months", f"{day} moved by {months} months is outside the calendar")
    return day_of_month(year, month + 1, day.day)


def due_on(issued_on: date, day: int, month_offset: int) -> date:
    """The due date of a bill issued on a date, by the community's rule.

    Args:
        day: day of the month on which bills fall due, 1 to 31; 31 means the last day.
        month_offset: months granted, zero or more.

    Returns:
        The first date with that day of month that is not before `issued_on` moved by
        `month_offset` months, and is not `issued_on` itself: nothing falls due when issued.

    Raises:
        InvalidInput: a day or offset out of range, or a result outside the calendar.

    >>> due_on(date(2026, 2, 15), 31, 0), due_on(date(2026, 2, 28), 31, 0)
    (datetime.date(2026, 2, 28), datetime.date(2026, 3, 31))
    """
    if not 1 <= day <= 31:
        raise InvalidInput("day", "must be 1 to 31")
    if month_offset < 0:
        raise InvalidInput("month_offset", "must not be negative")
    base = add_months(issued_on, month_offset)
    due = day_of_month(base.year, base.month, day)
    if due < base or due == issued_on:
        following = add_months(base.replace(day=1), 1)
        due = day_of_month(following.year, following.month, day)
    return due
