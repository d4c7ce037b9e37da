"""The reminder ladder (pure): some days before a bill is due, on the day, then ever more rarely.

A rung is climbed once per bill. When days were missed, only the latest rung is made up for. None
falls on a public holiday: it comes on the next day that is none, or, when the bill would be due
before that, on the last day before the holiday.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from billing.errors import InvalidInput
from billing.period import add_months
from notify.catalog import NoticeKind

DAYS_BEFORE_MAX = 30
DAYS_AFTER_MAX = 365
RUNGS_MAX = 8
"""Before or after the due date: who is reminded more often is pestered."""

ONE_DAY = timedelta(days=1)
NO_DAYS: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Rung:
    """One reminder. `code` is part of the notice's key: `T-3`, `T0`, `T+7`, `T+30+2m`."""

    code: str
    kind: NoticeKind
    on: date


@dataclass(frozen=True, slots=True)
class Ladder:
    """When a community reminds of a bill.

    Attributes:
        due_soon: days before the due date, the earliest first; 0 is the due date itself.
        overdue: days after it.
        is_monthly: after the last of `overdue` once a month, on that day of the month or the
            month's last.
        since: rungs of earlier days are not climbed any more: there was another ladder then. None:
            it was always this one.
    """

    due_soon: tuple[int, ...] = (7, 3, 0)
    overdue: tuple[int, ...] = (1, 7, 15, 30)
    is_monthly: bool = True
    since: date | None = None

    @property
    def first_days_before(self) -> int:
        """How long before its due date a bill may be on a rung, holidays not counted."""
        return max(self.due_soon, default=0)

    def rungs(
        self, due_on: date, today: date, holidays: Collection[date] = NO_DAYS
    ) -> Iterator[Rung]:
        """Every rung up to and including today, earliest first. The due date itself is in time, so
        the first overdue rung is the day after at the earliest.

        >>> [rung.code for rung in Ladder().rungs(date(2026, 11, 20), date(2026, 11, 27))]
        ['T-7', 'T-3', 'T0', 'T+1', 'T+7']
        """
        for rung in self._all(due_on):
            on = _moved(rung, due_on, holidays)
            if min(on, rung.on) > today:
                return
            if on <= today and (self.since is None or on >= self.since):
                yield Rung(rung.code, rung.kind, on)

    def latest_rung(
        self,
        due_on: date,
        today: date,
        *,
        issued_on: date,
        holidays: Collection[date] = NO_DAYS,
    ) -> Rung | None:
        """The rung a bill stands on today; None while there is nothing to remind of.

        Rungs up to the day of issue are left out: the bill itself was the notice.
        """
        last = None
        for rung in self.rungs(due_on, today, holidays):
            if rung.on > issued_on:
                last = rung
        return last

    def _all(self, due_on: date) -> Iterator[Rung]:
        for days in self.due_soon:
            code = f"T-{days}" if days else "T0"
            yield Rung(code, NoticeKind.DUE_SOON, due_on - timedelta(days=days))
        for days in self.overdue:
            yield Rung(f"T+{days}", NoticeKind.OVERDUE, due_on + timedelta(days=days))
        if not self.is_monthly:
            return
        last = self.overdue[-1]
        months = 1
        while True:
            on = add_months(due_on + timedelta(days=last), months)
            yield Rung(f"T+{last}+{months}m", NoticeKind.OVERDUE, on)
            months += 1


DEFAULT = Ladder()


def make_ladder(
    due_soon: Collection[int], overdue: Collection[int], *, is_monthly: bool, since: date
) -> Ladder:
    """A ladder as staff want it; days in any order.

    Raises:
        InvalidInput: `due_soon`, `overdue` or `monthly`; the message says what would do.
    """
    _check("due_soon", due_soon, 0, DAYS_BEFORE_MAX)
    _check("overdue", overdue, 1, DAYS_AFTER_MAX)
    if is_monthly and not overdue:
        raise InvalidInput("monthly", "goes on from the last overdue day: name one, such as 30")
    return Ladder(tuple(sorted(due_soon, reverse=True)), tuple(sorted(overdue)), is_monthly, since)


def _check(field: str, days: Collection[int], least: int, most: int) -> None:
    wrong = sorted(day for day in days if not least <= day <= most)
    if wrong:
        raise InvalidInput(field, f"{wrong[0]} is not within {least} to {most} days")
    twice = sorted(day for day in set(days) if list(days).count(day) > 1)
    if twice:
        raise InvalidInput(field, f"{twice[0]} is named twice: a rung is climbed once")
    if len(days) > RUNGS_MAX:
        raise InvalidInput(field, f"{len(days)} rungs pester people: at most {RUNGS_MAX}")


def next_working(day: date, holidays: Collection[date]) -> date:
    """This day, or the first after it that is no public holiday; a weekend is none."""
    while day in holidays:
        day += ONE_DAY
    return day


def _moved(rung: Rung, due_on: date, holidays: Collection[date]) -> date:
    """When a rung is climbed: not on a holiday, and what says that a day is near not after it."""
    on = next_working(rung.on, holidays)
    if rung.kind is NoticeKind.DUE_SOON and on > due_on:
        on = rung.on
        while on in holidays:
            on -= ONE_DAY
    return on
