"""How many months lie between two dates: four conventions, exact, as parts that can be printed.

Rules: README.md, `proration`. Ranges are half-open. No convention loops over days or months.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing.labels import LabelEnum
from billing.period import DateRange
from billing.pricing.fields import Fields, PricingError, shown

_PART = re.compile(r"[0-9]{1,7}(/[1-9][0-9]{0,6})?")


class Proration(LabelEnum):
    """How a span that is not whole months is counted."""

    CALENDAR_MONTH = "calendar_month", "按当月天数折算"
    FIXED_30 = "fixed_30", "每月按30天折算"
    ACTUAL_PERIOD = "actual_period", "按账期天数折算"
    NONE = "none", "不足一月按一月"


@dataclass(frozen=True, slots=True)
class Part:
    """A count of something over how many make a whole, kept unreduced: 21/30 is not 7/10."""

    count: int
    of: int = 1

    @classmethod
    def read(cls, value: object, path: str) -> "Part":
        """Read back what `str` wrote: `21/30` or `5`."""
        if not isinstance(value, str) or _PART.fullmatch(value) is None:
            raise PricingError(path, f"{shown(value)} is not a count like 5 or 21/30")
        count, _, of = value.partition("/")
        return cls(int(count), int(of or 1))

    @property
    def fraction(self) -> Fraction:
        """The exact value."""
        return Fraction(self.count, self.of)

    def __str__(self) -> str:
        return str(self.count) if self.of == 1 else f"{self.count}/{self.of}"


def read_share(fields: Fields) -> Part:
    """The `share` of a stored basis; the whole where it is absent."""
    return Part.read(fields.take("share"), fields.path("share")) if fields.has("share") else Part(1)


def share_to_json(share: Part) -> dict[str, str]:
    """The key that `read_share` takes."""
    return {} if share.of == 1 else {"share": str(share)}


def calendar_months(days: DateRange) -> tuple[Part, ...]:
    """Each touched month counts its days over its own length; whole months are added up.

    >>> [str(part) for part in calendar_months(DateRange(date(2026, 6, 10), date(2027, 1, 4)))]
    ['21/30', '6', '3/31']
    """
    last = days.end - timedelta(days=1)
    if _month(days.start) == _month(last):
        return (_of_month(days.days, last),)
    head = _of_month(_length(days.start) - days.start.day + 1, days.start)
    tail = _of_month(last.day, last)
    partial = [part.of != 1 for part in (head, tail)]
    whole = _month(last) - _month(days.start) + 1 - sum(partial)
    middle = [Part(whole)] if whole else []
    return (*([head] if partial[0] else []), *middle, *([tail] if partial[1] else []))


def fixed_30_months(days: DateRange) -> tuple[Part, ...]:
    """30/360: the difference of two day numbers, so that parts of a span add up to the whole.

    >>> [str(part) for part in fixed_30_months(DateRange(date(2026, 1, 31), date(2026, 3, 1)))]
    ['31/30']
    """
    count = _day_number_360(days.end) - _day_number_360(days.start)
    return (Part(count, 30) if count % 30 else Part(count // 30),)


def touched_months(days: DateRange, charged: DateRange) -> tuple[Part, ...]:
    """Calendar months of `charged` whose first charged day lies in `days`, a part of `charged`.

    So a month divided between two versions counts once, for the version that begins it.

    >>> november = DateRange(date(2026, 11, 10), date(2026, 12, 1))
    >>> [str(part) for part in touched_months(november, november)]
    ['1']
    """
    if days.start == charged.start:
        later = charged.start + timedelta(days=1)
        return (Part(1 + _months_begun(later, days.end)),)
    return (Part(_months_begun(days.start, days.end)),)


def _month(day: date) -> int:
    return day.year * 12 + day.month


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _of_month(days: int, month: date) -> Part:
    return Part(1) if days == _length(month) else Part(days, _length(month))


def _day_number_360(day: date) -> int:
    return day.year * 360 + day.month * 30 + min(day.day, 30)


def _months_begun(start: date, end: date) -> int:
    """Firsts of a month in the half-open range, which may be empty."""
    return (_month(end) + (end.day > 1)) - (_month(start) + (start.day > 1))
