"""Months, half-open ranges, and the day a bill falls due."""

from datetime import date

import pytest

from billing.errors import InvalidInput
from billing.period import DateRange, Period, add_months, due_on

NOVEMBER = DateRange(date(2026, 11, 1), date(2026, 12, 1))


def test_a_month_is_a_half_open_range() -> None:
    assert (Period("2026-11").start, Period("2026-11").end) == (NOVEMBER.start, NOVEMBER.end)
    assert NOVEMBER.days == 30


def test_months_follow_each_other_over_the_year() -> None:
    assert Period("2026-12").next() == Period("2027-01")
    assert Period("2026-01").previous() == Period("2025-12")
    assert Period.of(date(2026, 11, 30)) == Period("2026-11")


def test_months_sort_by_time_and_print_as_they_are_written() -> None:
    months = [Period("2027-01"), Period("2026-11"), Period("2026-12")]
    assert [str(month) for month in sorted(months)] == ["2026-11", "2026-12", "2027-01"]


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "202611", "2026-11-01", "", "1899-12", "２026-11"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Period(text)


@pytest.mark.parametrize("end", [date(2026, 11, 1), date(2026, 10, 31)])
def test_a_range_has_at_least_one_day(end: date) -> None:
    with pytest.raises(InvalidInput):
        DateRange(date(2026, 11, 1), end)


def test_ranges_that_only_touch_share_no_day() -> None:
    december = DateRange(date(2026, 12, 1), date(2027, 1, 1))
    assert NOVEMBER.intersection(december) is None
    assert december.intersection(NOVEMBER) is None
    assert NOVEMBER.intersection(DateRange(date(2026, 1, 1), date(2027, 1, 1))) == NOVEMBER


def test_a_range_covers_itself_and_nothing_longer() -> None:
    assert NOVEMBER.covers(NOVEMBER)
    assert not NOVEMBER.covers(DateRange(date(2026, 11, 1), date(2026, 12, 2)))
    assert not NOVEMBER.covers(DateRange(date(2026, 10, 31), date(2026, 12, 1)))


@pytest.mark.parametrize(
    ("day", "months", "moved"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 11, 30), 14, date(2028, 1, 30)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
    ],
)
def test_a_day_the_month_lacks_means_its_last_day(day: date, months: int, moved: date) -> None:
    assert add_months(day, months) == moved


@pytest.mark.parametrize(
    ("issued_on", "day", "month_offset", "due"),
    [
        (date(2026, 2, 15), 31, 0, date(2026, 2, 28)),
        (date(2026, 2, 28), 31, 0, date(2026, 3, 31)),
        (date(2026, 1, 15), 15, 0, date(2026, 2, 15)),
        (date(2026, 1, 15), 15, 1, date(2026, 2, 15)),
        (date(2026, 1, 31), 30, 1, date(2026, 2, 28)),
        (date(2026, 11, 20), 5, 1, date(2027, 1, 5)),
        (date(2024, 1, 31), 31, 1, date(2024, 2, 29)),
    ],
)
def test_a_bill_falls_due_on_the_next_such_day_but_never_when_issued(
    issued_on: date, day: int, month_offset: int, due: date
) -> None:
    assert due_on(issued_on, day, month_offset) == due


@pytest.mark.parametrize(("day", "month_offset"), [(0, 0), (32, 0), (1, -1), (1, 10**6)])
def test_a_rule_outside_the_calendar_is_refused(day: int, month_offset: int) -> None:
    with pytest.raises(InvalidInput):
        due_on(date(2026, 1, 1), day, month_offset)
