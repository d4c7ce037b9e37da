"""Public holidays (法定节假日): nobody is reminded of money on them.

The State Council announces them year by year, each autumn for the next. `chinesecalendar` knows
the years up to its release; a year of which staff loaded days is taken from the table instead.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime

import chinese_calendar
from sqlalchemy import Integer, cast, delete, extract, insert, select
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, raise_alert
from billing.errors import InvalidInput
from notify.ladder_tables import PublicHoliday

NAME_MAX = 20
WARNS_FROM_MONTH = 12
DAYS_MAX = 60
"""A year has 13 days off in law, some 30 with the weekends between."""

SHIPPED: Mapping[date, str] = {
    day: chinese_calendar.Holiday(name).chinese for day, name in chinese_calendar.holidays.items()
}
"""Of the years the library knows. Weekends are in it only where they are part of a holiday."""


def read_holidays(session: Session) -> dict[date, str]:
    """Every holiday that is known, with its name."""
    own = {row.day: row.name for row in session.scalars(select(PublicHoliday))}
    years = {day.year for day in own}
    return {day: name for day, name in SHIPPED.items() if day.year not in years} | own


def load_holidays(session: Session, days: Mapping[date, str]) -> dict[int, int]:
    """Take the holidays of whole years from here; what was loaded of these years is replaced.
    Returns how many days each year has. Safe to call twice.

    Raises:
        InvalidInput: no days, a name too long, or more days than a year has.
    """
    if not days:
        raise InvalidInput("days", "there are none: give lines such as 2027-01-01,name")
    for day, name in days.items():
        if not 0 < len(name) <= NAME_MAX or not name.isprintable():
            raise InvalidInput("days", f"{day}: the name must have 1 to {NAME_MAX} characters")
    counts = Counter(day.year for day in days)
    for year, count in counts.items():
        if count > DAYS_MAX:
            raise InvalidInput("days", f"{year} has {count} holidays: leave out plain weekends")
    session.execute(
        delete(PublicHoliday).where(
            cast(extract("year", PublicHoliday.day), Integer).in_(list(counts))
        )
    )
    session.execute(
        insert(PublicHoliday), [{"day": day, "name": name} for day, name in days.items()]
    )
    return dict(sorted(counts.items()))


def read_days(lines: Iterable[str]) -> dict[date, str]:
    """Days from lines `2027-01-01,元旦`; empty lines and those that begin with # are skipped.

    Raises:
        InvalidInput: a line that is none; the message has its number.
    """
    days: dict[date, str] = {}
    for number, line in enumerate(lines, start=1):
        said = line.strip().lstrip("\ufeff")
        if not said or said.startswith("#"):
            continue
        day, _, name = said.replace("，", ",").partition(",")
        try:
            on = date.fromisoformat(day.strip())
        except ValueError:
            raise InvalidInput(
                "days", f"line {number}: {said[:30]!r} begins with no date"
            ) from None
        if on in days:
            raise InvalidInput("days", f"line {number}: {on} is named twice")
        days[on] = name.strip()
    return days


def warn_of_unknown_year(session: Session, today: date, now: datetime) -> int:
    """In December, have an alert open while nothing is known of the holidays of the next year;
    returns 1 then, else 0. Safe to call twice.
    """
    year = today.year + 1
    if today.month < WARNS_FROM_MONTH or any(day.year == year for day in read_holidays(session)):
        return 0
    raise_alert(
        session,
        AlertKind.HOLIDAYS_UNKNOWN,
        key=f"holidays of {year} are not known",
        community_id=None,
        data={"year": year},
        now=now,
    )
    return 1
