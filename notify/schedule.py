"""What cron enqueues for this package, and when. Cron expressions are Beijing time."""

from notify.catalog import Urgency
from notify.jobs import (
    run_counting,
    run_digest,
    run_reminders,
    run_settling,
    run_sweep,
    run_watching,
)
from notify.queues import Planned

SWEEP_SECONDS = 30
REMIND_AT = "5 9 * * *"
"""09:05, after the quiet hours."""

WATCH_AT = "15 9 * * *"
DIGEST_AT = "0 18 * * *"
WATCH_SECONDS_MAX = 1800

COUNT_AT = "30 4 * * *"
"""Before the reminders, whose hours it chooses."""

COUNT_SECONDS_MAX = 3600


SCHEDULE: tuple[Planned, ...] = (
    Planned(run_sweep, Urgency.AT_ONCE, interval_seconds=SWEEP_SECONDS),
    Planned(run_settling, Urgency.TODAY, interval_seconds=SWEEP_SECONDS),
    Planned(run_counting, None, cron=COUNT_AT, timeout_seconds=COUNT_SECONDS_MAX),
    Planned(run_reminders, Urgency.TODAY, cron=REMIND_AT),
    Planned(run_watching, None, cron=WATCH_AT, timeout_seconds=WATCH_SECONDS_MAX),
    Planned(run_digest, None, cron=DIGEST_AT, timeout_seconds=WATCH_SECONDS_MAX),
)
