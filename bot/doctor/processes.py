"""Workers and cron: alive, and able to do what they are given."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rq import Worker
from rq.cron import CronScheduler
from rq.serializers import JSONSerializer

from bot.doctor.findings import Finding, Patient, Status

SILENT = timedelta(minutes=8)
"""A worker that waits for jobs says so every seven minutes."""

WAITING_WARNING = 200


def _is_heard(last: datetime | None, now: datetime) -> bool:
    if last is None:
        return False
    return (last if last.tzinfo else last.replace(tzinfo=UTC)) > now - SILENT


def check_workers(patient: Patient) -> Iterator[Finding]:
    """A worker was heard lately."""
    connection = patient.program.queues.connection
    workers = Worker.all(connection=connection, serializer=JSONSerializer)
    if not any(_is_heard(worker.last_heartbeat, patient.now) for worker in workers):
        heard = max((one.last_heartbeat for one in workers if one.last_heartbeat), default=None)
        yield Finding(
            "workers",
            Status.ERROR,
            f"no worker runs; the last was heard {heard or 'never'}",
            "start `mingzhang worker`",
        )


def check_cron(patient: Patient) -> Iterator[Finding]:
    """Cron was heard lately."""
    crons = CronScheduler.all(patient.program.queues.connection, cleanup=False)
    if not any(_is_heard(cron.last_heartbeat, patient.now) for cron in crons):
        yield Finding(
            "cron",
            Status.ERROR,
            "cron does not run: nobody is reminded and no open payment is asked about",
            "start `mingzhang cron`",
        )


def check_jobs(patient: Patient) -> Iterator[Finding]:
    """Jobs that failed, and queues that grow."""
    for queue in patient.program.queues.in_order:
        failed = queue.failed_job_registry.get_job_count(cleanup=False)
        if failed:
            what = f"{queue.name}: {failed} jobs failed"
            yield Finding("jobs", Status.WARNING, what, "see `mingzhang alerts` and the log")
        if queue.count > WAITING_WARNING:
            what = f"{queue.name}: {queue.count} jobs wait"
            yield Finding("jobs", Status.WARNING, what, "start more workers (`--processes`)")
