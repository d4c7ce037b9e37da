"""Several crons enqueue once; what fails is tried again with pauses, and told when it fails for
good.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from billing.alerts import Alert, ClosedBecause
from billing.db import connect
from bot.cron import (
    FAILS_WITHIN,
    FAILURES_TOLD_FROM,
    PAUSES,
    TOLD_JOBS,
    Cron,
    look_after_failures,
)
from bot.program import Program
from bot.worker import Worker
from notify.catalog import Urgency
from notify.queues import Queues
from tests.conftest import World


@pytest.fixture
def program(world: World, redis: Redis) -> Program:
    now = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    services = SimpleNamespace(database=world.database, clock=lambda: now)
    return cast(Program, SimpleNamespace(queues=Queues(redis), services=services))


def work_well() -> None:
    """A job that can be done."""


def waiting(program: Program) -> list[str]:
    return [name for queue in program.queues.in_order for name in _names(queue.jobs)]


def _names(jobs: list[object]) -> list[str]:
    return [job.func_name for job in jobs]  # type: ignore[attr-defined]


def alerts(program: Program) -> list[str]:
    with program.services.database.transaction() as session:
        return list(session.scalars(select(Alert.key)))


def break_down() -> None:
    """A job that cannot be done."""
    raise ZeroDivisionError


def failed(program: Program, **meta: int) -> Callable[[timedelta], dict[str, int]]:
    """A job that has failed; called with the time since then, what is done about it."""
    queue = program.queues.long
    job = queue.enqueue(break_down, meta=meta, failure_ttl=3600)
    work(program)

    def later(since: timedelta) -> dict[str, int]:
        job.refresh()
        assert job.ended_at is not None
        return look_after_failures(program, job.ended_at + since)

    return later


def work(program: Program) -> None:
    SimpleWorker(
        program.queues.in_order,
        connection=program.queues.connection,
        serializer=JSONSerializer,
    ).work(burst=True, logging_level="CRITICAL")


def test_two_crons_enqueue_each_round_once(program: Program) -> None:
    crons = [Cron(program), Cron(program)]
    for cron in crons:
        for job in cron.get_jobs():
            job.next_enqueue_time = (
                None if job.interval else datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
            )
        cron.enqueue_jobs()
    assert len(waiting(program)) == len(crons[0].get_jobs())
    assert len(set(waiting(program))) == len(waiting(program))


def test_the_sweep_does_not_wait_behind_a_bill_run(program: Program) -> None:
    cron = Cron(program)
    queues = {job.func_name: job.queue_name for job in cron.get_jobs()}
    assert queues["notify.jobs.run_sweep"] == program.queues.lanes[Urgency.AT_ONCE].name
    assert queues["bot.jobs.run_billing"] == program.queues.long.name


def test_a_failed_job_is_tried_again_after_growing_pauses_and_then_told_once(
    program: Program,
) -> None:
    later = failed(program, tries_left=len(PAUSES))
    for pause in PAUSES:
        assert later(pause - timedelta(seconds=1)) == {"tried_again": 0, "told": 0}
        assert later(pause) == {"tried_again": 1, "told": 0}
        work(program)
        assert alerts(program) == []
    assert later(timedelta()) == {"tried_again": 0, "told": 1}
    assert later(timedelta(days=1)) == {"tried_again": 0, "told": 0}
    assert alerts(program) == [f"job failed: {__name__}.break_down"]


def test_what_comes_again_by_itself_is_told_of_when_it_goes_on_failing(program: Program) -> None:
    """Once is a restart of the database; it is not tried again, since it comes anyway."""
    for told in (0, 0, FAILURES_TOLD_FROM):
        later = failed(program, comes_again=True)
        assert later(FAILS_WITHIN * 2) == {"tried_again": 0, "told": 0}
        assert later(timedelta()) == {"tried_again": 0, "told": told}
    assert alerts(program) == [f"job failed: {__name__}.break_down"]


@pytest.mark.parametrize(("since", "stays_open"), [(FAILS_WITHIN / 2, True), (FAILS_WITHIN, False)])
def test_the_alert_of_a_job_that_works_again_closes_unless_it_failed_a_moment_ago(
    program: Program, monkeypatch: pytest.MonkeyPatch, since: timedelta, stays_open: bool
) -> None:
    failed(program, tries_left=0)(timedelta())
    told_at = float(
        str(program.queues.connection.hget(TOLD_JOBS, f"{__name__}.break_down"), "ascii")
    )
    done_at = datetime.fromtimestamp(told_at, UTC) + since
    monkeypatch.setattr(program.services, "clock", lambda: done_at)
    monkeypatch.setitem(globals(), "break_down", work_well)
    for job in (work_well, f"{__name__}.break_down"):  # the first has failed nowhere
        program.queues.long.enqueue(job)
    Worker(program).work(burst=True, logging_level="CRITICAL")
    with program.services.database.transaction() as session:
        [alert] = session.scalars(select(Alert))
        assert (alert.closed_at is None) is stays_open
        assert alert.close_reason == (None if stays_open else ClosedBecause.JOB_DONE.label)


def test_what_comes_again_is_marked_so(program: Program, redis: Redis) -> None:
    program.queues.wake(Urgency.BULK)
    [lane] = program.queues.lanes[Urgency.BULK].jobs
    assert lane.meta == {"comes_again": True}
    cron = Cron(program)
    for job in cron.get_jobs():
        job.next_enqueue_time = None if job.interval else datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    cron.enqueue_jobs()
    repeated = {job.func_name for job in cron.get_jobs() if job.interval}
    queued = [job for queue in program.queues.in_order for job in queue.jobs if job is not lane]
    marked = {job.func_name for job in queued if job.meta == {"comes_again": True}}
    assert marked - {lane.func_name} == repeated


def test_staff_are_told_once_the_books_answer_again(program: Program, world: World) -> None:
    later = failed(program, tries_left=0)
    away = connect("postgresql+psycopg://nobody@127.0.0.1:1/none")
    there, program.services.database.engine = world.database.engine, away
    with pytest.raises(OperationalError):
        later(timedelta())
    program.services.database.engine = there
    assert later(timedelta()) == {"tried_again": 0, "told": 1}
    assert len(alerts(program)) == 1


def test_a_try_whose_cron_died_is_begun_by_another(program: Program, redis: Redis) -> None:
    later = failed(program, tries_left=1)
    [job_id] = program.queues.long.failed_job_registry.get_job_ids()
    redis.set(f"failed:{job_id}:1", "taken", ex=60)
    assert later(PAUSES[-1]) == {"tried_again": 0, "told": 0}
    redis.delete(f"failed:{job_id}:1")  # a minute later
    assert later(PAUSES[-1]) == {"tried_again": 1, "told": 0}
