"""When people may be reminded (pure). Rule: no reminders from 21:00 to 09:00 in Beijing."""

from datetime import date, datetime, time, timedelta

from billing.business_day import BEIJING

DAY_BEGINS = time(9)
DAY_ENDS = time(21)


def next_allowed(now: datetime) -> datetime:
    """`now` if reminders may go out now, else the next 09:00 in Beijing."""
    local = now.astimezone(BEIJING)
    if DAY_BEGINS <= local.time() < DAY_ENDS:
        return now
    day = local.date() if local.time() < DAY_BEGINS else local.date() + timedelta(days=1)
    return datetime.combine(day, DAY_BEGINS, BEIJING)


def midnight_after(day: date) -> datetime:
    """The instant in Beijing at which this day is over."""
    return datetime.combine(day + timedelta(days=1), time(), BEIJING)
