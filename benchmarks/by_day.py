"""A clock by which it is day, and workers who go by it: at night messages that may wait do.

python -m benchmarks.by_day PROCESSES; otherwise as `mingzhang worker`.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from bot.cli.processes import Workers
from bot.settings import Settings
from notify.quiet_hours import next_allowed

HALF_A_DAY = timedelta(hours=12)


def by_day() -> datetime:
    """Now, or half a day later when it is night in Beijing."""
    now = datetime.now(UTC)
    return now if next_allowed(now) == now else now + HALF_A_DAY


if __name__ == "__main__":
    settings = Settings.from_env(os.environ, by_day())
    Workers(settings, int(sys.argv[1]), clock=by_day).start(logging_level="WARNING")
