"""What cron enqueues for this package, and when. Cron expressions are Beijing time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from notify.jobs import run_reminders, run_sweep

SWEEP_SECONDS = 30
REMIND_AT = "5 9 * * *"
"""09:05, after the quiet hours."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A job and either its interval or its cron expression; the queue's time-out by default."""

    job: Callable[[], Any]
    interval_seconds: int | None = None
    cron: str | None = None
    timeout_seconds: int | None = None


SCHEDULE: tuple[Planned, ...] = (
    Planned(run_sweep, interval_seconds=SWEEP_SECONDS),
    Planned(run_reminders, cron=REMIND_AT),
)
