"""The queues workers take their jobs from, the most urgent first; and how workers are woken.

Only names and JSON go through Redis: a job is a function's name, and what there is to do is looked
up in the database. So an emptied Redis loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from notify.catalog import Urgency

LANE_JOB = "notify.jobs.run_lane"
JOB_SECONDS_MAX = 300
FAILURE_KEPT_SECONDS = 7 * 24 * 3600
WAKE_SECONDS = 20
"""A wake-up that got lost blocks others no longer than this; the sweep comes every 30 s anyway."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A job that cron enqueues: its interval, or its cron expression in Beijing time.

    Attributes:
        urgency: of the queue it takes; None for what takes long.
        timeout_seconds: the queue's by default.
    """

    job: Callable[[], Any]
    urgency: Urgency | None
    interval_seconds: int | None = None
    cron: str | None = None
    timeout_seconds: int | None = None


class Queues:
    """One queue per urgency, and one for jobs that take long: billing, reconciling."""

    def __init__(self, redis: Redis) -> None:
        self.connection = redis
        self.lanes = {urgency: _queue(redis, urgency.value) for urgency in Urgency}
        self.long = _queue(redis, "long")

    @property
    def in_order(self) -> list[Queue]:
        """All of them, the most urgent first."""
        return [*self.lanes.values(), self.long]

    def of(self, planned: Planned) -> Queue:
        """The queue a planned job takes."""
        return self.long if planned.urgency is None else self.lanes[planned.urgency]

    def wake(self, urgency: Urgency) -> bool:
        """Have a worker do soon what is due of this urgency; returns whether a job was queued.

        A burst of wake-ups queues one job. A wake-up while it is running queues the next, so
        whatever was committed before is seen.

        Raises:
            RedisError: nobody was woken; the sweep comes.
        """
        mark = self.connection.set(wake_key(urgency), "queued", nx=True, ex=WAKE_SECONDS)
        if mark:
            self.lanes[urgency].enqueue(
                LANE_JOB,
                urgency.value,
                result_ttl=60,
                failure_ttl=FAILURE_KEPT_SECONDS,
                meta={"comes_again": True},
            )
        return bool(mark)


def wake_key(urgency: Urgency) -> str:
    """Where it is noted that a worker was woken. The job takes it away before it looks."""
    return f"wake:{urgency.value}"


def _queue(redis: Redis, name: str) -> Queue:
    return Queue(
        f"mingzhang.{name}",
        connection=redis,
        serializer=JSONSerializer,
        default_timeout=JOB_SECONDS_MAX,
    )
