"""The sandbox's clock: real time to look at, shorter waits where no person is waiting."""

from datetime import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock:
    """Real time in Asia/Shanghai, and sandbox seconds that pass `rate` times faster."""

    def __init__(self, rate: float):
        if not rate > 0:
            raise ValueError("the clock's rate must be above 0")
        self._rate = rate

    def now(self) -> datetime:
        """Give the real time, aware, in Asia/Shanghai."""
        return datetime.now(SHANGHAI)

    def real_seconds(self, sandbox_seconds: float) -> float:
        """Give how many real seconds a wait of `sandbox_seconds` takes here."""
        return sandbox_seconds / self._rate
