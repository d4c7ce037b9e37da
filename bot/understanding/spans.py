"""Spans of months, their names (2026-11, 2026-Q4, 2026, 2026-01/2026-06), and month arithmetic."""

from dataclasses import dataclass
from datetime import date

from bot.understanding.numerals import read_int

YEAR_WORDS = {
    "大前年": -3, "前年": -2, "去年": -1, "上年度": -1, "上一年度": -1, "上一年": -1, "上年": -1,
    "今年": 0, "明年": 1, "后年": 2,
}  # fmt: skip
"""Words for a year -> its distance from this one; longer words first."""


@dataclass(frozen=True)
class Span:
    """Months from `first` to `last`, both inclusive, counted from year 0; `text` names them."""

    first: int
    last: int
    fixed: bool = True
    """Whether the writer said the year (or a relative word that fixes it)."""

    def __str__(self) -> str:
        first = _month_name(self.first)
        return first if self.first == self.last else f"{first}/{_month_name(self.last)}"


@dataclass(frozen=True)
class Year(Span):
    """A calendar year."""

    def __str__(self) -> str:
        return f"{self.first // 12:04}"


@dataclass(frozen=True)
class Quarter(Span):
    """A calendar quarter."""

    def __str__(self) -> str:
        return f"{self.first // 12:04}-Q{self.first % 12 // 3 + 1}"


class Calendar:
    """Month arithmetic around today, in a text that looks back or ahead."""

    def __init__(self, today: date, *, ahead: bool) -> None:
        self._ahead = ahead
        self.year = today.year
        self.month = today.year * 12 + today.month - 1

    def named_year(self, word: str | None) -> int | None:
        """去年 -> 2025, 25年 -> 2025; None for no word or no plausible year."""
        if not word:
            return None
        if word in YEAR_WORDS:
            return self.year + YEAR_WORDS[word]
        number = read_int(word.rstrip("度").rstrip("年"))
        if number is None:
            return None
        year = number + 2000 if number < 100 else number
        return year if self.year - 15 <= year <= self.year + 2 else None

    def latest(self, month: int, not_after: int) -> int:
        """The latest month with that number (1–12) not after the month `not_after`."""
        candidate = not_after // 12 * 12 + month - 1
        return candidate if candidate <= not_after else candidate - 12

    def month_of(self, year: int | None, month: int) -> Span:
        """A month of a named year, or the latest one that has begun."""
        if year is not None:
            index = year * 12 + month - 1
        else:
            index = self.latest(month, self.month + 11 if self._ahead else self.month)
        return Span(index, index, year is not None)


def quarter_at(index: int) -> Quarter:
    """The quarter with that number since year 0."""
    return Quarter(index * 3, index * 3 + 2)


def year_at(year: int) -> Year:
    """The calendar year."""
    return Year(year * 12, year * 12 + 11)


def _month_name(index: int) -> str:
    return f"{index // 12:04}-{index % 12 + 1:02}"
