"""Waking workers: bursts collapse, no wake-up is swallowed, and the sweep finds the rest."""

from collections.abc import Iterator

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from notify import jobs
from notify.jobs import install, wake
from notify.schedule import SCHEDULE
from tests.notify.conftest import Town

ZHANG = "3-2-501"


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("mingzhang", connection=redis, serializer=JSONSerializer)


@pytest.fixture
def installed(town: Town) -> Iterator[Town]:
    install(town.notifier)
    yield town
    jobs._installed.clear()


def work(queue: Queue) -> None:
    SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )


def test_a_burst_of_wake_ups_is_one_job(queue: Queue, redis: Redis) -> None:
    assert [wake(queue, "intake") for _ in range(100)].count(True) == 1
    assert queue.count == 1


def test_a_wake_up_while_the_job_runs_is_not_swallowed(
    installed: Town, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake(queue, "intake")
    zhang = installed.bind(ZHANG, "Zhang")
    looked = installed.notifier.deliver
    woken: list[bool] = []

    def fact_recorded_after_the_job_looked() -> dict[str, int]:
        if not woken:
            installed.pay(ZHANG, zhang)
            woken.append(wake(queue, "intake"))
        return looked()

    monkeypatch.setattr(
        type(installed.notifier), "deliver", lambda _self: fact_recorded_after_the_job_looked()
    )
    work(queue)
    assert woken == [True]
    assert installed.messages() == [("payment_received", "sent", None)]


def test_a_worker_tells_what_was_recorded(installed: Town, queue: Queue) -> None:
    installed.pay(ZHANG, installed.bind(ZHANG, "Zhang"))
    wake(queue, "intake")
    work(queue)
    assert len(installed.wechat.shown) == 1
    assert queue.failed_job_registry.count == 0


def test_a_lost_wake_up_is_found_by_the_sweep(installed: Town, queue: Queue) -> None:
    installed.pay(ZHANG, installed.bind(ZHANG, "Zhang"))
    wake(queue, "intake")
    queue.connection.flushdb()
    queue.enqueue(jobs.run_sweep)
    work(queue)
    assert len(installed.wechat.shown) == 1


def test_every_planned_job_runs_and_answers_in_json(installed: Town, queue: Queue) -> None:
    for planned in SCHEDULE:
        queue.enqueue(planned.job)
        assert (planned.interval_seconds is None) != (planned.cron is None)
    work(queue)
    assert queue.failed_job_registry.count == 0


def test_many_messages_go_out_in_several_batches(
    installed: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MESSAGES_PER_BATCH", 2)
    monkeypatch.setattr(jobs, "NOTICES_PER_BATCH", 2)
    monkeypatch.setattr(jobs, "FACTS_PER_BATCH", 2)
    monkeypatch.setattr(jobs, "RECEIPTS_PER_BATCH", 2)
    for room in (ZHANG, "1-1-302", "1-1-101", "2-1-803", "1-2-602"):
        installed.pay(room, installed.bind(room, f"Of{room}"))
    assert installed.notifier.intake() == {
        "receipts": 5,
        "facts": 10,  # each payment, and its receipt
        "broadcasts": 0,
        "notices": 5,
        "messages": 5,
    }
    assert len(installed.wechat.shown) == 5
