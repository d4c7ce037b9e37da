"""The reminder ladder (pure): three days before a bill is due, on the day, then ever more rarely.

A rung is climbed once per bill. When days were missed, only the latest rung is made up for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from billing.period import add_months
from notify.catalog import NoticeKind

DAYS_BEFORE = 3
DAYS_AFTER = (1, 7, 15, 30)


@dataclass(frozen=True, slots=True)
class Rung:
    """One reminder. `code` is part of the notice's key: `T-3`, `T0`, `T+7`, `T+30+2m`."""

    code: str
    kind: NoticeKind
    on: date


def rungs(due_on: date, today: date) -> Iterator[Rung]:
    """Every rung up to and including today, earliest first.

    The due date itself is in time, so the first overdue rung is the day after. From the thirtieth
    day on there is one a month, on that day of the month or the month's last.

    >>> [rung.code for rung in rungs(date(2026, 11, 20), date(2026, 11, 27))]
    ['T-3', 'T0', 'T+1', 'T+7']
    """
    for rung in _all_rungs(due_on):
        if rung.on > today:
            return
        yield rung


def latest_rung(due_on: date, today: date, *, issued_on: date) -> Rung | None:
    """The rung a bill stands on today; None while there is nothing to remind of.

    Rungs up to the day of issue are left out: the bill itself was the notice.
    """
    last = None
    for rung in rungs(due_on, today):
        if rung.on > issued_on:
            last = rung
    return last


def _all_rungs(due_on: date) -> Iterator[Rung]:
    yield Rung(f"T-{DAYS_BEFORE}", NoticeKind.DUE_SOON, due_on - timedelta(days=DAYS_BEFORE))
    yield Rung("T0", NoticeKind.DUE_SOON, due_on)
    for days in DAYS_AFTER:
        yield Rung(f"T+{days}", NoticeKind.OVERDUE, due_on + timedelta(days=days))
    monthly_from = due_on + timedelta(days=DAYS_AFTER[-1])
    months = 1
    while True:
        code = f"T+{DAYS_AFTER[-1]}+{months}m"
        yield Rung(code, NoticeKind.OVERDUE, add_months(monthly_from, months))
        months += 1
