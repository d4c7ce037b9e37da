"""Once and in time: hand-over, the bounded pool, claims and stored answers."""

import threading
import time

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from bot.answering import Handover, Overloaded, Pool, Repeats, answer_in_time

SOON = 5.0


def test_an_answer_in_time_is_returned_and_not_delivered_again() -> None:
    late: list[str] = []
    assert answer_in_time(Pool(), lambda: "answer", late.append, seconds=SOON) == "answer"
    assert late == []


def test_an_answer_too_late_is_delivered_once() -> None:
    gate, delivered, late = threading.Event(), threading.Event(), list[str]()

    def work() -> str:
        gate.wait(SOON)
        return "answer"

    def deliver(text: str) -> None:
        late.append(text)
        delivered.set()

    assert answer_in_time(Pool(), work, deliver, seconds=0) is None
    gate.set()
    assert delivered.wait(SOON)
    assert late == ["answer"]


def test_an_answer_that_cannot_be_delivered_is_logged() -> None:
    pool, gate, tried = Pool(workers=1), threading.Event(), threading.Event()

    def work() -> str:
        gate.wait(SOON)
        return "answer"

    def deliver(text: str) -> None:
        raise ConnectionError("WeChat is away")

    with capture_logs() as logs:
        assert answer_in_time(pool, work, deliver, seconds=0) is None
        gate.set()
        pool.run(tried.set)  # the one thread comes to this after the delivery
        assert tried.wait(SOON)
    assert [entry["event"] for entry in logs] == ["work_failed"]


def test_an_error_in_time_is_raised_to_the_one_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        answer_in_time(Pool(), lambda: str(1 / 0), lambda text: None, seconds=SOON)


def test_an_offer_is_either_taken_or_declined_never_both() -> None:
    """Whoever comes first decides; the other side learns of it."""
    for _ in range(200):
        handover, start = Handover(), threading.Barrier(2)
        accepted: list[bool] = []

        def offer(handover: Handover = handover, start: threading.Barrier = start) -> None:
            start.wait(SOON)
            accepted.append(handover.offer("answer"))  # noqa: B023  # joined below

        thread = threading.Thread(target=offer)
        thread.start()
        start.wait(SOON)
        taken = handover.take(0)
        thread.join(SOON)
        assert (taken is not None) == accepted[0]


def test_a_full_pool_refuses_at_once_and_recovers() -> None:
    pool, gate, done = Pool(workers=1, waiting_max=1), threading.Event(), threading.Semaphore(0)

    def work() -> None:
        gate.wait(SOON)
        done.release()

    pool.run(work)
    pool.run(work)
    with pytest.raises(Overloaded):
        pool.run(work)
    gate.set()
    assert done.acquire(timeout=SOON)
    assert done.acquire(timeout=SOON)
    finished = threading.Event()
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline and not finished.is_set():
        try:
            pool.run(finished.set)  # a place is free as soon as the thread has put it back
            break
        except Overloaded:
            continue
    assert finished.wait(SOON)


def test_the_first_delivery_claims_and_the_next_finds_its_answer(redis: Redis) -> None:
    repeats = Repeats(redis)
    assert repeats.claim("k")
    assert not repeats.claim("k")
    repeats.store("k", "答复")
    assert not repeats.claim("k")
    assert repeats.wait("k", until=time.monotonic()) == "答复"


def test_an_empty_answer_is_an_answer(redis: Redis) -> None:
    repeats = Repeats(redis)
    repeats.claim("k")
    repeats.store("k", "")
    assert repeats.wait("k", until=time.monotonic()) == ""


def test_a_repeat_waits_for_the_first_delivery(redis: Redis) -> None:
    repeats = Repeats(redis)
    repeats.claim("k")
    answers: list[str | None] = []
    waiting = threading.Thread(
        target=lambda: answers.append(repeats.wait("k", until=time.monotonic() + SOON))
    )
    waiting.start()
    repeats.store("k", "答复")
    waiting.join(SOON)
    assert answers == ["答复"]


def test_a_repeat_does_not_wait_for_ever(redis: Redis) -> None:
    repeats = Repeats(redis)
    repeats.claim("k")
    assert repeats.wait("k", until=time.monotonic()) is None


def test_a_claim_given_back_can_be_claimed_again(redis: Redis) -> None:
    repeats = Repeats(redis)
    repeats.claim("k")
    repeats.release("k")
    assert repeats.wait("k", until=time.monotonic() + SOON) is None
    assert repeats.claim("k")


def test_a_claim_dies_with_its_process(redis: Redis) -> None:
    Repeats(redis).claim("k")
    assert 0 < redis.ttl("chat:push:k") <= 5


def test_without_redis_every_delivery_is_the_first() -> None:
    nowhere = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    repeats = Repeats(nowhere)
    assert repeats.claim("k")
    repeats.store("k", "answer")
    repeats.release("k")
    assert repeats.wait("k", until=time.monotonic() + SOON) is None
