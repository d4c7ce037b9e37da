"""Months as sentences and links name them: one, a quarter, a year, or a range."""

import re
from dataclasses import dataclass

from billing.period import Period

QUARTER_MONTHS = {"Q1": ("01", "03"), "Q2": ("04", "06"), "Q3": ("07", "09"), "Q4": ("10", "12")}
NAMED = re.compile(
    r"[12][0-9]{3}(-(0[1-9]|1[0-2]|Q[1-4]))?|[12][0-9]{3}-(0[1-9]|1[0-2])/[12][0-9]{3}-(0[1-9]|1[0-2])"
)


@dataclass(frozen=True, slots=True)
class Months:
    """A range of months, both ends included, as `YYYY-MM`."""

    first: str
    last: str

    def __contains__(self, period: Period) -> bool:
        return self.first <= str(period) <= self.last


def read_months(said: str) -> Months:
    """Read a period slot: a month, a quarter, a year, or a range of months.

    >>> read_months("2026-Q3"), read_months("2025")
    (Months(first='2026-07', last='2026-09'), Months(first='2025-01', last='2025-12'))
    """
    first, _, last = said.partition("/")
    if last:
        return Months(first, last)
    year, _, part = said.partition("-")
    if part in QUARTER_MONTHS:
        begin, end = QUARTER_MONTHS[part]
        return Months(f"{year}-{begin}", f"{year}-{end}")
    return Months(said, said) if part else Months(f"{year}-01", f"{year}-12")


def find_months(typed: str) -> Months | None:
    """The months a link names; None when it names none, as after somebody changed it."""
    return read_months(typed) if NAMED.fullmatch(typed) else None
