"""Waking workers: bursts collapse, no wake-up is swallowed, the sweep finds the rest, and what is
urgent never stands behind what is not.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from billing.bill_run import run_bills
from billing.period import Period
from notify import jobs
from notify.catalog import Urgency
from notify.claim import Claimed
from notify.jobs import install
from notify.queues import Queues
from notify.schedule import SCHEDULE
from tests.notify.conftest import Town

ZHANG = "3-2-501"


@pytest.fixture
def queues(redis: Redis) -> Queues:
    return Queues(redis)


@pytest.fixture
def installed(town: Town, queues: Queues) -> Iterator[Town]:
    install(town.notifier, queues)
    yield town
    jobs._installed.clear()


def publish_december(town: Town) -> None:
    run_bills(
        town.world.database,
        town.world.community,
        Period("2026-12"),
        today=date(2026, 12, 1),
        now=town.clock.now,
        publish=True,
    )


def work(queues: Queues) -> None:
    SimpleWorker(queues.in_order, connection=queues.connection, serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )


def failures(queues: Queues) -> int:
    return sum(queue.failed_job_registry.count for queue in queues.in_order)


def test_a_burst_of_wake_ups_is_one_job(queues: Queues) -> None:
    assert [queues.wake(Urgency.AT_ONCE) for _ in range(100)].count(True) == 1
    assert queues.lanes[Urgency.AT_ONCE].count == 1


def test_a_wake_up_while_the_job_runs_is_not_swallowed(
    installed: Town, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.wake(Urgency.AT_ONCE)
    zhang = installed.bind(ZHANG, "Zhang")
    notifier = type(installed.notifier)
    freeze = notifier._freeze
    woken: list[bool] = []

    def fact_recorded_after_the_job_looked(*args: object) -> int:
        if not woken:
            installed.pay(ZHANG, zhang)
            woken.append(queues.wake(Urgency.AT_ONCE))
        return freeze(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(notifier, "_freeze", fact_recorded_after_the_job_looked)
    work(queues)
    assert woken == [True]
    assert installed.messages() == [("payment_received", "sent", None)]


def test_a_worker_tells_what_was_recorded(installed: Town, queues: Queues) -> None:
    installed.pay(ZHANG, installed.bind(ZHANG, "Zhang"))
    queues.wake(Urgency.AT_ONCE)
    work(queues)
    assert len(installed.wechat.shown) == 1
    assert failures(queues) == 0


def test_an_emptied_redis_loses_nothing(installed: Town, queues: Queues) -> None:
    installed.pay(ZHANG, installed.bind(ZHANG, "Zhang"))
    queues.wake(Urgency.AT_ONCE)
    queues.connection.flushdb()
    queues.lanes[Urgency.AT_ONCE].enqueue(jobs.run_sweep)
    work(queues)
    assert len(installed.wechat.shown) == 1


def test_a_receipt_passes_a_pile_of_announcements(
    installed: Town, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of bills ends with its turn, and the payment that came meanwhile is told next."""
    rooms = (ZHANG, "1-1-302", "1-1-101")
    people = {f"oOf{room}": (room, installed.bind(room, f"Of{room}")) for room in rooms}
    publish_december(installed)
    monkeypatch.setattr(jobs, "MESSAGES_PER_BATCH", 1)
    notifier = type(installed.notifier)
    claim = notifier._claim

    def slowly(*args: Any, **kwargs: Any) -> Claimed:
        installed.clock.advance(seconds=jobs.TURN_SECONDS)
        if len(installed.wechat.shown) == 1:
            installed.pay(*people[installed.wechat.shown[0].openid])
            queues.wake(Urgency.AT_ONCE)
        return claim(*args, **kwargs)

    monkeypatch.setattr(notifier, "_claim", slowly)
    queues.wake(Urgency.TODAY)
    work(queues)
    first, second, payer, third = [shown.openid for shown in installed.wechat.shown]
    assert payer == first
    assert {first, second, third} == set(people)


def test_bills_are_told_when_any_fact_woke_a_worker(installed: Town, queues: Queues) -> None:
    installed.bind(ZHANG, "Zhang")
    publish_december(installed)
    queues.wake(Urgency.AT_ONCE)  # as after every transaction that recorded a fact
    work(queues)
    assert installed.messages() == [("bill_issued", "sent", None)]


def test_while_nobody_answers_one_batch_is_tried_and_the_rest_waits(
    installed: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MESSAGES_PER_BATCH", 1)
    monkeypatch.setattr(jobs, "NOTICES_PER_BATCH", 1)
    for room in (ZHANG, "1-1-302", "1-1-101"):
        installed.pay(room, installed.bind(room, f"Of{room}"))
    send = "/cgi-bin/message/template/send"
    installed.wechat.next_answers[send].extend(["http"] * 3)
    installed.notifier.intake()
    assert installed.wechat.count(send) == 1
    installed.wechat.next_answers[send].clear()
    installed.clock.advance(minutes=1)
    installed.notifier.intake()
    assert [state for _, state, _ in installed.messages()] == ["sent"] * 3


def test_every_planned_job_runs_and_answers_in_json(installed: Town, queues: Queues) -> None:
    for planned in SCHEDULE:
        queues.of(planned).enqueue(planned.job)
        assert (planned.interval_seconds is None) != (planned.cron is None)
    work(queues)
    assert failures(queues) == 0


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
