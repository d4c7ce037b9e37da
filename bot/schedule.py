"""What cron enqueues, and when. Cron expressions are Beijing time."""

from bot.jobs import run_settlement
from notify.schedule import SCHEDULE as NOTIFY_SCHEDULE
from notify.schedule import Planned

SETTLE_SECONDS = 30

SCHEDULE: tuple[Planned, ...] = (
    *NOTIFY_SCHEDULE,
    Planned(run_settlement, interval_seconds=SETTLE_SECONDS),
)
