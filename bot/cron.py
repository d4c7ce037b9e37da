"""RQ's cron over our schedule: several may run and nothing is enqueued twice; what failed is tried
again with growing pauses, and staff hear of what fails for good.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from rq.cron import CronJob, CronScheduler
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now
from sqlalchemy.exc import SQLAlchemyError

from billing.alerts import AlertKind, ClosedBecause, close_alerts, raise_alert
from bot.program import Program
from bot.schedule import SCHEDULE
from notify.queues import FAILURE_KEPT_SECONDS

ROUNDS_WAITING_MAX = 4
"""A repeated job no worker took for so many rounds is dropped: cron brings it again anyway."""

DAILY_WAITS_SECONDS_MAX = 6 * 3600
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""Before each further try of a daily job that failed."""

FAILURES_TOLD_FROM = 3
FAILS_WITHIN = timedelta(minutes=5)
"""What comes again by itself is told of when it failed so often within so long."""

TAKEN_SECONDS = 60
TOLD_JOBS = "jobs:told"
"""Redis: name of a job staff were told of → when it failed last, in seconds."""

log = structlog.get_logger(__name__)


class Cron(CronScheduler):
    """RQ's cron with our queues: its own jobs would be pickled, which our workers do not load."""

    def __init__(self, program: Program) -> None:
        super().__init__(connection=program.queues.connection, logging_level="WARNING")
        self._program = program
        self._queues = {queue.name: queue for queue in program.queues.in_order}
        for planned in SCHEDULE:
            self.register(
                planned.job,
                program.queues.of(planned).name,
                interval=planned.interval_seconds,
                cron=planned.cron,
                job_timeout=planned.timeout_seconds,
            )

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueue what is due and no other cron has, as JSON; then look after what failed."""
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            if self._is_first(job):
                self._enqueue(job)
            job.set_enqueue_time(rq_now())
        try:
            look_after_failures(self._program, self._program.services.clock())
        except SQLAlchemyError as error:
            log.warning("failures_not_told", reason=type(error).__name__)
        return due

    def _is_first(self, job: CronJob) -> bool:
        """Whether no other cron process has enqueued this round of the job."""
        if job.interval:
            round_no = str(int(rq_now().timestamp() // job.interval))
            kept = job.interval
        else:
            round_no = str(job.next_enqueue_time)
            kept = DAILY_WAITS_SECONDS_MAX
        key = f"cron:{job.func_name}:{round_no}"
        return bool(self.connection.set(key, self.name, nx=True, ex=kept))

    def _enqueue(self, job: CronJob) -> None:
        waits = job.interval * ROUNDS_WAITING_MAX if job.interval else DAILY_WAITS_SECONDS_MAX
        self._queues[job.queue_name].enqueue(
            job.func_name,
            ttl=waits,
            result_ttl=60,
            failure_ttl=FAILURE_KEPT_SECONDS,
            job_timeout=job.job_options.get("job_timeout"),
            meta={"comes_again": True} if job.interval else {"tries_left": len(PAUSES)},
        )


def look_after_failures(program: Program, now: datetime) -> dict[str, int]:
    """Try failed jobs again, as often as they allow; tell staff of those that allow no more, once
    a job, and of those that come again by themselves when they go on failing: a restart of the
    database is nothing to be told of.

    Safe to run twice and from several processes: a try is begun by one of them, and one that dies
    with it is begun by another a minute later.

    Raises:
        SQLAlchemyError: staff could not be told; they are the next time.
    """
    done = {"tried_again": 0, "told": 0}
    for queue in program.queues.in_order:
        registry = queue.failed_job_registry
        found = [_fetch(queue, job_id) for job_id in registry.get_job_ids(cleanup=False)]
        failed = [job for job in found if job is not None]
        lasting = _lasting(failed, now)
        for job in failed:
            again = job.meta.get("comes_again") and job.func_name not in lasting
            if again or job.meta.get("told"):
                continue
            left: int = job.meta.get("tries_left", 0)
            if left and job.ended_at and now >= job.ended_at + PAUSES[len(PAUSES) - left]:
                if _is_taken(queue, job.id, left):
                    job.meta["tries_left"] = left - 1
                    job.save_meta()  # type: ignore[no-untyped-call]
                    registry.requeue(job)
                    done["tried_again"] += 1
            elif not left:
                _tell(program, job, now)
                done["told"] += 1
    return done


def _lasting(failed: Sequence[Job], now: datetime) -> set[str]:
    """Names of the jobs that failed again and again in the last minutes."""
    since = now - FAILS_WITHIN
    lately = Counter(str(job.func_name) for job in failed if job.ended_at and job.ended_at > since)
    return {name for name, times in lately.items() if times >= FAILURES_TOLD_FROM}


def _is_taken(queue: Queue, job_id: str, left: int) -> bool:
    key = f"failed:{job_id}:{left}"
    return bool(queue.connection.set(key, "taken", nx=True, ex=TAKEN_SECONDS))


def _fetch(queue: Queue, job_id: str) -> Job | None:
    try:
        return Job.fetch(job_id, connection=queue.connection, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def _tell(program: Program, job: Job, now: datetime) -> None:
    """Raise an alert: at most one is open for a job's name."""
    data: dict[str, Any] = {"job": job.func_name, "queue": job.origin}
    log.error("job_failed_for_good", **data)
    with program.services.database.transaction() as session:
        raise_alert(
            session,
            AlertKind.JOB_FAILED,
            key=_alert_key(str(job.func_name)),
            community_id=None,
            data=data,
            now=now,
        )
    program.queues.connection.hset(TOLD_JOBS, str(job.func_name), str(now.timestamp()))
    job.meta["told"] = True
    job.save_meta()  # type: ignore[no-untyped-call]


def note_success(program: Program, job_name: str, now: datetime) -> None:
    """A job was done: close the alert that it fails, unless it failed within the last minutes, as
    what comes every few seconds may fail every other time.

    Raises:
        RedisError, SQLAlchemyError: the alert stays open until the next success.
    """
    redis = program.queues.connection
    failed_at = redis.hget(TOLD_JOBS, job_name)
    if failed_at is None or now.timestamp() - float(failed_at) < FAILS_WITHIN.total_seconds():
        return
    with program.services.database.transaction() as session:
        close_alerts(session, [_alert_key(job_name)], now, ClosedBecause.JOB_DONE)
    redis.hdel(TOLD_JOBS, job_name)


def _alert_key(job_name: str) -> str:
    return f"job failed: {job_name}"
