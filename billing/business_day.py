"""Business dates are dates in Beijing; instants are aware and stored in UTC."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


def business_date(now: datetime) -> date:
    """The date in Beijing at this aware instant."""
    return now.astimezone(BEIJING).date()
