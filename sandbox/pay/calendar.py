"""The day it is for bills: the real one, or a later one a test asked for."""

from datetime import date, datetime, time, timedelta

from sandbox.clock import SHANGHAI, Clock
from sandbox.pay.refusals import ApiRefused
from sandbox.pay.texts import say

MADE_FROM_HOUR = 9
KEPT_FOR = timedelta(days=92)
DAYS_MAX = 3650
_USUAL_HOUR = 10


class Calendar:
    """Decides which bills exist, and nothing else. A shift is forgotten at a restart."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._days = 0
        self._hour: int | None = None

    def shift(self, days: object, hour: object = None) -> datetime:
        """Believe from now on that it is `days` days later, at `hour` (10) o'clock.

        `days` 0 without an hour is the real time again. Gives the moment it is now; raises
        ValueError for what is no number of days or hour.
        """
        if type(days) is not int or not 0 <= days <= DAYS_MAX:
            raise ValueError(f"days must be a whole number from 0 to {DAYS_MAX}")
        if hour is not None and (type(hour) is not int or not 0 <= hour <= 23):
            raise ValueError("hour must be a whole number from 0 to 23")
        usual = _USUAL_HOUR if days else None
        self._days, self._hour = days, usual if hour is None else hour
        return self.now()

    def now(self) -> datetime:
        """Give the moment the bills believe it is, in Beijing time."""
        shifted = self._clock.now().astimezone(SHANGHAI) + timedelta(days=self._days)
        return shifted if self._hour is None else shifted.replace(hour=self._hour, minute=0)

    def check_made(self, day: date) -> None:
        """Refuse a day whose bill cannot exist; raises ApiRefused.

        Rule: pay.weixin.qq.com, "trade bill": made from nine on the next morning, for three months.
        """
        now = self.now()
        if day >= now.date():
            raise ApiRefused(400, "NO_BILL_EXIST", say("api.no_bill"))
        if day == now.date() - timedelta(days=1) and now.hour < MADE_FROM_HOUR:
            raise ApiRefused(400, "BILL_CREATING", say("api.bill_creating"))
        if day < now.date() - KEPT_FOR:
            raise ApiRefused(400, "INVALID_REQUEST", say("api.bill_too_old"))


def span(day: date) -> tuple[float, float]:
    """Give the instants between which a day lies in Beijing, the end excluded."""
    start = datetime.combine(day, time(), SHANGHAI)
    return start.timestamp(), (start + timedelta(days=1)).timestamp()
